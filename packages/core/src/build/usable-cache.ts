import { access, constants, stat } from "node:fs/promises";
import type { Diagnostic } from "@undocked/registry";
import { makeDirectory } from "@undocked/registry/files";
import { contentFolders } from "../cache/content-cache.ts";
import type { BuildOptions } from "./options.ts";
import { PlaceError, writingTo } from "./system-error.ts";
import { cacheDirectory, contentOf } from "./workspace.ts";

/** Where a build keeps things, and what to tell about it. */
export interface UsableCache {
  readonly cache: string | false;
  readonly warnings: readonly Diagnostic[];
}

/**
 * Makes sure of the cache's directory, and of the folders in it that a build cannot do without. The user's own, when nobody named
 * one, may be missing: a build without a home, or with a cache that somebody else has written to, goes on without a cache.
 *
 * @throws {PlaceError} `CACHE_UNUSABLE` for a directory that was named
 */
export async function usableCache({ cache }: BuildOptions): Promise<UsableCache> {
  if (cache === false) return { cache, warnings: [] };
  const hint = "Name another directory as the cache, or build without one.";
  try {
    const directory = cacheDirectory(cache);
    await writingTo("CACHE_UNUSABLE", directory, hint, async () => {
      await makeDirectory(directory);
      if (!(await stat(directory)).isDirectory())
        throw new PlaceError("CACHE_UNUSABLE", `${directory} is a file.`, { hint });
      await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
      for (const folder of contentFolders(contentOf(directory))) await checkFolder(folder);
    });
    return { cache: directory, warnings: [] };
  } catch (error) {
    if (cache !== undefined || !(error instanceof PlaceError)) throw error;
    return { cache: false, warnings: [goneWithout(error)] };
  }
}

/** Tells that a build goes on without the user's own cache. */
export function goneWithout({ code, message, hint = FULL }: PlaceError): Diagnostic {
  return { code, severity: "warning", message: `${message} Nothing is kept for the next build.`, hint };
}

/** What is not there, or stands in the place of a directory, is made anew by who writes. */
async function checkFolder(path: string): Promise<void> {
  const status = await stat(path).catch(() => undefined);
  if (status?.isDirectory() === true) await access(path, constants.W_OK | constants.X_OK);
}

/**
 * Runs what writes to a workspace: a cache, or a directory among the temporary files.
 *
 * @throws {PlaceError} `CACHE_UNUSABLE`, `TEMPORARY_UNUSABLE`
 */
export function writingToCache<T>(
  cache: string | false | undefined,
  directory: string,
  work: () => Promise<T>,
): Promise<T> {
  return cache === false
    ? writingTo("TEMPORARY_UNUSABLE", directory, "Make room there, or set TMPDIR to another directory.", work)
    : writingTo("CACHE_UNUSABLE", directory, FULL, work);
}

const FULL = "Make room, name another directory as the cache, or build without one.";
