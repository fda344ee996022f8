import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** What a cache directory holds. Sizes are bytes. */
export interface CacheUsage {
  /** Layers and documents of images. */
  readonly content: { readonly files: number; readonly size: number };
  /** Lists of what is in base layers. */
  readonly indexes: { readonly files: number; readonly size: number };
  /** What came out of which inputs. */
  readonly recipes: { readonly files: number; readonly size: number };
  /** What names of images stood for. */
  readonly references: { readonly files: number; readonly size: number };
}

/** How much of a cache may stay. */
export interface PruneOptions {
  /** Bytes that may stay; what was written or of use the longest time ago goes first. Default: any number. */
  readonly maxSize?: number;
  /** What was neither written nor of use for longer goes. Default: any age. */
  readonly maxAgeMs?: number;
}

/** Folders of the directory. Nothing else in it is ours, and nothing else is looked at. */
const PARTS = ["content", "indexes", "recipes", "references"] as const;

/** How many files and bytes each part of a cache has; nothing, if there is no such directory. */
export async function cacheUsage(directory: string): Promise<CacheUsage> {
  const usageOf = async (part: keyof CacheUsage): Promise<{ files: number; size: number }> => {
    const files = await filesOf(directory, part);
    return { files: files.length, size: files.reduce((sum, { size }) => sum + size, 0) };
  };
  return {
    content: await usageOf("content"),
    indexes: await usageOf("indexes"),
    recipes: await usageOf("recipes"),
    references: await usageOf("references"),
  };
}

/**
 * Takes away what is too old or too much, and what builds that were killed did not finish. Builds that run meanwhile are not
 * harmed: what they miss they make or fetch again; what was written or of use within the last minute stays for them, and what
 * they are writing for an hour after its last bytes.
 *
 * @returns what was taken away
 */
export async function pruneCache(
  directory: string,
  { maxSize = Number.POSITIVE_INFINITY, maxAgeMs = Number.POSITIVE_INFINITY }: PruneOptions,
): Promise<{ readonly files: number; readonly size: number }> {
  const files = (await Promise.all(PARTS.map((part) => filesOf(directory, part)))).flat();
  const now = Date.now();
  let left = files.reduce((sum, { size }) => sum + size, 0);
  let gone = 0;
  let size = 0;
  for (const file of files.sort((a, b) => a.usedAt - b.usedAt)) {
    const age = now - file.usedAt;
    if (age < (file.isUnfinished ? UNFINISHED_MS : IN_USE_MS)) continue;
    if (!file.isUnfinished && age <= maxAgeMs && left <= maxSize) continue;
    await rm(file.path, { force: true });
    left -= file.size;
    size += file.size;
    gone += 1;
  }
  return { files: gone, size };
}

const IN_USE_MS = 60 * 1000;

/** Who waits longer for the next bytes of a download has given it up. */
const UNFINISHED_MS = 60 * 60 * 1000;

interface CachedFile {
  readonly path: string;
  readonly size: number;
  readonly usedAt: number;
  /** Files are written beside their place, under such names. */
  readonly isUnfinished: boolean;
}

async function filesOf(directory: string, part: keyof CacheUsage): Promise<CachedFile[]> {
  const folder = join(directory, part);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files: CachedFile[] = [];
  for (const entry of entries) {
    const isUnfinished = entry.name.endsWith(".tmp");
    // Two small files make the content's directory a layout.
    if (!entry.isFile() || (entry.parentPath === folder && part === "content" && !isUnfinished)) continue;
    const path = join(entry.parentPath, entry.name);
    const status = await stat(path).catch(() => undefined);
    if (status !== undefined) files.push({ path, size: status.size, usedAt: status.mtimeMs, isUnfinished });
  }
  return files;
}
