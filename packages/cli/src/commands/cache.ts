import { resolve } from "node:path";
import { cacheDirectory, cacheUsage, PlaceError, pruneCache } from "@undocked/core";
import { parseArguments, UsageError, type Arguments, type Usage } from "../args.ts";
import type { Command, Io } from "../io.ts";
import { ageOf, sizeOf } from "../quantity.ts";

export const usage: Usage = {
  synopsis: "cache info|prune [OPTIONS]",
  summary: "Tells what the cache holds, or takes away what is too old or too much. Builds may run meanwhile.",
  flags: {
    "cache-dir": { value: "PATH", help: "The cache (default: undocked in the user's cache directory)" },
    json: { help: "info: as JSON, with sizes in bytes" },
    "max-size": { value: "SIZE", help: "prune: what may stay, as 500MB or 10GB (default: 10GB)" },
    "max-age": { value: "AGE", help: "prune: how long what is not used stays, as 12h or 30d" },
  },
};

export const command: Command = async (argv, io) => {
  const flags = parseArguments(usage, argv);
  const [action, ...more] = flags.positionals;
  if (more.length > 0 || (action !== "info" && action !== "prune"))
    throw new UsageError(`cache takes info or prune, not ${JSON.stringify(flags.positionals.join(" "))}.`);
  io.stdout.write(action === "info" ? await info(flags, io) : await prune(flags, io));
  return 0;
};

async function info(flags: Arguments, io: Io): Promise<string> {
  const directory = directoryOf(flags, io);
  const usage = await cacheUsage(directory);
  if (flags.is("json")) return `${JSON.stringify({ directory, ...usage }, null, 2)}\n`;
  const parts = ["content", "indexes", "recipes", "references"] as const;
  return `${directory}\n${parts.map((part) => row(part, usage[part])).join("")}`;
}

async function prune(flags: Arguments, io: Io): Promise<string> {
  const directory = directoryOf(flags, io);
  const maxAgeMs = ageOf(flags, "max-age");
  const maxSize = sizeOf(flags, "max-size") ?? 10e9;
  const pruning = pruneCache(directory, { maxSize, ...(maxAgeMs === undefined ? {} : { maxAgeMs }) });
  return row(
    "removed",
    await pruning.catch((cause: unknown) => {
      if (!(cause instanceof Error) || !("syscall" in cause)) throw cause;
      const hint = "Prune as the user whose cache it is.";
      throw new PlaceError("CACHE_UNUSABLE", `${directory} cannot be pruned: ${cause.message}.`, {
        hint,
        cause,
      });
    }),
  );
}

function directoryOf(flags: Arguments, io: Io): string {
  const path = flags.text("cache-dir");
  return cacheDirectory(path === undefined ? undefined : resolve(io.cwd, path));
}

function row(name: string, { files, size }: { readonly files: number; readonly size: number }): string {
  return `${name.padEnd(10)} ${String(files).padStart(6)} files ${(size / 1e6).toFixed(1).padStart(9)} MB\n`;
}
