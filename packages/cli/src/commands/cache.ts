import { resolve } from "node:path";
import { cacheDirectory, cacheUsage, pruneCache } from "@undocked/core";
import { parseArguments, UsageError, type Arguments, type Usage } from "../args.ts";
import type { Command, Io } from "../io.ts";

export const usage: Usage = {
  synopsis: "cache info|prune [OPTIONS]",
  summary: "Tells what the cache holds, or takes away what is too old or too much. Builds may run meanwhile.",
  flags: {
    "cache-dir": { value: "PATH", help: "The cache (default: undocked in the user's cache directory)" },
    "max-size": { value: "SIZE", help: "prune: what may stay, as 500MB or 10GB (default: 10GB)" },
    "max-age": { value: "AGE", help: "prune: how long what is not used stays, as 12h or 30d" },
  },
};

export const command: Command = async (argv, io) => {
  const flags = parseArguments(usage, argv);
  const [action, ...more] = flags.positionals;
  if (more.length > 0 || (action !== "info" && action !== "prune"))
    throw new UsageError(`cache takes info or prune, not ${JSON.stringify(flags.positionals.join(" "))}.`);
  const directory = directoryOf(flags, io);
  if (action === "info") {
    const usage = await cacheUsage(directory);
    const parts = ["content", "indexes", "recipes", "references"] as const;
    io.stdout.write(`${directory}\n${parts.map((part) => row(part, usage[part])).join("")}`);
    return 0;
  }
  const maxAgeMs = quantity(flags, "max-age", { m: 60_000, h: 3_600_000, d: 86_400_000 });
  const gone = await pruneCache(directory, {
    maxSize: quantity(flags, "max-size", { kB: 1e3, MB: 1e6, GB: 1e9 }) ?? 10e9,
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
  });
  io.stdout.write(row("removed", gone));
  return 0;
};

function directoryOf(flags: Arguments, io: Io): string {
  const path = flags.text("cache-dir");
  return cacheDirectory(path === undefined ? undefined : resolve(io.cwd, path));
}

function row(name: string, { files, size }: { readonly files: number; readonly size: number }): string {
  return `${name.padEnd(10)} ${String(files).padStart(6)} files ${(size / 1e6).toFixed(1).padStart(9)} MB\n`;
}

function quantity(
  flags: Arguments,
  flag: string,
  units: Readonly<Record<string, number>>,
): number | undefined {
  const text = flags.text(flag);
  if (text === undefined) return undefined;
  const [, amount, unit = ""] = /^(\d{1,9})([a-zA-Z]+)$/.exec(text) ?? [];
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (amount !== undefined && factor !== undefined) return Number(amount) * factor;
  throw new UsageError(
    `--${flag} takes a number and ${Object.keys(units).join(", ")}, not ${JSON.stringify(text)}.`,
  );
}
