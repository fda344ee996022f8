import { rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pruneCache } from "./prune.ts";

/** What a cache may grow to where nobody says otherwise: 10 GB. */
export const DEFAULT_CACHE_SIZE = 10e9;

/** Between two looks at the whole of a cache. */
const INTERVAL_MS = 60 * 60 * 1000;

/**
 * Takes away what was of use the longest time ago, where a cache has more than `maxSize` bytes. A look at all of its files
 * is taken once an hour, whoever uses it; in between, this is one `stat`. What cannot be looked at or taken away stays.
 */
export async function keepWithin(directory: string, maxSize: number): Promise<void> {
  const stamp = join(directory, "looked-at");
  const looked = await stat(stamp).catch(() => undefined);
  // A clock that was set back must not put the next look off for years.
  if (looked !== undefined && Math.abs(Date.now() - looked.mtimeMs) < INTERVAL_MS) return;
  try {
    // Set before the look: builds that start meanwhile leave it to this one.
    const now = new Date();
    if (looked === undefined) await writeFile(stamp, "");
    else await utimes(stamp, now, now);
    await pruneCache(directory, { maxSize });
  } catch {
    // So that the next build tries again.
    await rm(stamp, { force: true }).catch(() => {});
  }
}
