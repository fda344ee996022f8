import { parseReference, registryClient, storeLogin } from "@undocked/registry";
import { parseArguments, UsageError, type Usage } from "../args.ts";
import type { Command, Io } from "../io.ts";
import { registryFlags, registryOptions } from "../registry-flags.ts";
import { readStandardInput } from "../standard-input.ts";

export const usage: Usage = {
  synopsis: "login HOST --username USER --password-stdin",
  summary: "Shows a login to a registry and keeps it where docker does, if the registry takes it.",
  flags: {
    username: { short: "u", value: "USER", help: "Who logs in" },
    "password-stdin": {
      help: "Read the password or token from standard input; a command line is seen by others",
    },
    ...registryFlags,
  },
};

export const command: Command = async (argv, io, signal) => {
  const flags = parseArguments(usage, argv);
  const [host, ...more] = flags.positionals;
  if (host === undefined || more.length > 0)
    throw new UsageError(`login takes one host, not ${flags.positionals.length}.`);
  const username = flags.text("username");
  if (username === undefined || !flags.is("password-stdin"))
    throw new UsageError("login needs --username USER and --password-stdin.");
  const { registry } = parseReference(`${host}/any`);
  const credential = { username, password: await readSecret(io) };
  const options = { ...(await registryOptions(flags, io)), credentials: { [registry]: credential } };
  await using client = registryClient(options);
  await client.checkLogin(host, { signal });
  const place = await storeLogin(host, credential, { environment: io.env });
  io.stdout.write(`The login for ${registry} is kept in ${place}.\n`);
  return 0;
};

const SECRET_LIMIT = 64 * 1024;

async function readSecret(io: Io): Promise<string> {
  const secret = (await readStandardInput(io, "a password", SECRET_LIMIT)).replace(/\r?\n$/, "");
  if (secret === "") throw new UsageError("Standard input has no password.");
  return secret;
}
