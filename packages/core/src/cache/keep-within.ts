import { lstat, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pruneCache } from "./prune.ts";

/** What a cache may grow to where nobody says otherwise: 10 GB. */
export const DEFAULT_CACHE_SIZE = 10e9;

/** Between two looks at the whole of a cache. */
const INTERVAL_MS = 60 * 60 * 1000;

/**
 * Takes away what was of use the longest time ago, where a cache has more than `maxSize` bytes. A look at all of its files
 * is taken once an hour, whoever uses it, and when less is allowed than before; in between, this is a small file that is read.
 * What cannot be looked at or taken away stays.
 */
export async function keepWithin(directory: string, maxSize: number): Promise<void> {
  const stamp = join(directory, "looked-at");
  if (await wasWithin(stamp, maxSize)) return;
  try {
    // Set before the look: builds that start meanwhile leave it to this one. Nothing is written through a link.
    await rm(stamp, { recursive: true, force: true });
    await writeFile(stamp, `${maxSize}\n`);
    await pruneCache(directory, { maxSize });
  } catch {
    // So that the next build tries again.
    await rm(stamp, { recursive: true, force: true }).catch(() => {});
  }
}

async function wasWithin(stamp: string, maxSize: number): Promise<boolean> {
  const looked = await lstat(stamp).catch(() => undefined);
  // A clock that was set back must not put the next look off for years.
  if (looked?.isFile() !== true || Math.abs(Date.now() - looked.mtimeMs) >= INTERVAL_MS) return false;
  const text = looked.size > LARGEST ? "" : await readFile(stamp, "utf8").catch(() => "");
  return /^\d+\n$/.test(text) && Number(text) <= maxSize;
}

/** More than any number takes. */
const LARGEST = 32;
