import { resolve } from "node:path";
import { parseReference, registryClient } from "@undocked/registry";
import { parseArguments, UsageError, type Usage } from "../args.ts";
import type { Command } from "../io.ts";
import { checkFile, writeFile } from "../named-file.ts";
import { registryFlags, registryOptions } from "../registry-flags.ts";

export const usage: Usage = {
  synopsis: "blob REPOSITORY@DIGEST [OPTIONS]",
  summary: "Downloads a blob and verifies it. Its last bytes come out only if all are right.",
  flags: {
    output: {
      short: "o",
      value: "FILE",
      help: "Write it to a file, whole or not at all (default: standard output)",
    },
    ...registryFlags,
  },
};

export const command: Command = async (argv, io, signal) => {
  const flags = parseArguments(usage, argv);
  const [name, ...more] = flags.positionals;
  if (name === undefined || more.length > 0)
    throw new UsageError(`blob takes one blob, not ${flags.positionals.length}.`);
  const reference = parseReference(name);
  if (reference.digest === undefined) throw new UsageError(`${name} has no digest.`);
  const output = flags.text("output");
  const path = output === undefined ? undefined : resolve(io.cwd, output);
  if (path !== undefined) await checkFile(path);
  await using client = registryClient(await registryOptions(flags, io));
  const repository = client.repository(reference);
  const content = repository.fetch(await repository.describeBlob(reference.digest, { signal }), { signal });
  if (path === undefined) for await (const chunk of content) io.stdout.write(chunk);
  else await writeFile(path, content, signal);
  return 0;
};
