import { registryClient } from "@undocked/registry";
import { parseArguments, UsageError, type Usage } from "../args.ts";
import type { Command } from "../io.ts";
import { registryFlags, registryOptions } from "../registry-flags.ts";
import { visible } from "../render/error.ts";

export const usage: Usage = {
  synopsis: "tags REPOSITORY [OPTIONS]",
  summary: "Prints the tags of a repository, one a line, in the registry's order.",
  flags: { ...registryFlags },
};

export const command: Command = async (argv, io, signal) => {
  const flags = parseArguments(usage, argv);
  const [name, ...more] = flags.positionals;
  if (name === undefined || more.length > 0)
    throw new UsageError(`tags takes one repository, not ${flags.positionals.length}.`);
  await using client = registryClient(await registryOptions(flags, io));
  for await (const tag of client.repository(name).tags({ signal })) io.stdout.write(`${visible(tag)}\n`);
  return 0;
};
