import { resolve } from "node:path";
import { once } from "node:events";
import { UndockedError } from "@undocked/registry";
import { startRegistry, type RunningRegistry, type StartRegistryOptions } from "@undocked/registry/server";
import { parseArguments, UsageError, type Usage } from "../args.ts";
import type { Command } from "../io.ts";

export const usage: Usage = {
  synopsis: "registry serve [DIRECTORY] [OPTIONS]",
  summary: "Serves an OCI registry until it is interrupted, and prints its address.",
  flags: {
    port: { short: "p", value: "PORT", help: "Default: a free one" },
    host: { value: "ADDRESS", help: "The address to listen on (default: 127.0.0.1)" },
  },
};

export const command: Command = async (argv, io, signal) => {
  const flags = parseArguments(usage, argv);
  const [directory, ...more] = flags.positionals;
  if (more.length > 0)
    throw new UsageError(`registry serve takes one directory, not ${flags.positionals.length}.`);
  const host = flags.text("host");
  await using registry = await listening({
    port: portNumber(flags.text("port") ?? "0"),
    ...(host === undefined ? {} : { host }),
    ...(directory === undefined ? {} : { storage: resolve(io.cwd, directory) }),
  });
  io.stdout.write(`${registry.host}\n`);
  if (!signal.aborted) await once(signal, "abort");
  return 0;
};

async function listening(options: StartRegistryOptions): Promise<RunningRegistry> {
  return await startRegistry(options).catch((cause: unknown) => {
    if (!(cause instanceof Error) || !("syscall" in cause)) throw cause;
    throw new UndockedError("ADDRESS_UNUSABLE", `The registry cannot be served: ${cause.message}.`, {
      hint: "Choose another --port, an address of this machine, and a directory that can be written.",
      cause,
    });
  });
}

function portNumber(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port >= 0 && port <= 65_535) return port;
  throw new UsageError(`--port takes a number from 0 to 65535, not ${JSON.stringify(text)}.`);
}
