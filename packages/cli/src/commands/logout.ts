import { removeLogin } from "@undocked/registry";
import { parseArguments, UsageError, type Usage } from "../args.ts";
import type { Command } from "../io.ts";
import { visible } from "../render/error.ts";

export const usage: Usage = {
  synopsis: "logout HOST",
  summary: "Forgets the login for a registry.",
  flags: {},
};

export const command: Command = async (argv, io) => {
  const flags = parseArguments(usage, argv);
  const [host, ...more] = flags.positionals;
  if (host === undefined || more.length > 0)
    throw new UsageError(`logout takes one host, not ${flags.positionals.length}.`);
  const removed = await removeLogin(host, { environment: io.env });
  io.stdout.write(
    removed ? `The login for ${visible(host)} is gone.\n` : `There is no login for ${visible(host)}.\n`,
  );
  return 0;
};
