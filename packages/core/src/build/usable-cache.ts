import { access, constants, stat } from "node:fs/promises";
import type { Diagnostic } from "@undocked/registry";
import { makeDirectory } from "@undocked/registry/files";
import type { BuildOptions } from "./options.ts";
import { PlaceError, writingTo } from "./system-error.ts";
import { cacheDirectory } from "./workspace.ts";

/** Where a build keeps things, and what to tell about it. */
export interface UsableCache {
  readonly cache: string | false;
  readonly warnings: readonly Diagnostic[];
}

/**
 * Makes sure of the cache's directory. The user's own, when nobody named one, may be missing: a build without a home goes on
 * without a cache.
 *
 * @throws {PlaceError} `CACHE_UNUSABLE` for a directory that was named
 */
export async function usableCache({ cache }: BuildOptions): Promise<UsableCache> {
  if (cache === false) return { cache, warnings: [] };
  const directory = cacheDirectory(cache);
  const hint = "Name another directory as the cache, or build without one.";
  const open = async (): Promise<void> => {
    await makeDirectory(directory);
    if (!(await stat(directory)).isDirectory())
      throw new PlaceError("CACHE_UNUSABLE", `${directory} is a file.`, { hint });
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  };
  try {
    await writingTo("CACHE_UNUSABLE", directory, hint, open);
    return { cache: directory, warnings: [] };
  } catch (error) {
    if (cache !== undefined || !(error instanceof Error)) throw error;
    const message = `${error.message} Nothing is kept for the next build.`;
    return { cache: false, warnings: [{ code: "CACHE_UNUSABLE", severity: "warning", message, hint }] };
  }
}
