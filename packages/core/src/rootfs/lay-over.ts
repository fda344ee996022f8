import { parentPath } from "../context/path.ts";
import type { SourceNode } from "../context/source-tree.ts";
import type { DirectoryEntry, Entry } from "../layer/entry.ts";
import type { PlannedCopy } from "./copy.ts";
import type { RootFs } from "./rootfs.ts";

/**
 * Lays what a COPY came to in an empty root over another, as if it had been made there.
 *
 * @returns the layer's entries, which are the same list where nothing differs; `undefined`, and the root as it was, where
 *   more than directories of the root is in the way: the COPY has to be made there then
 */
export function layOver(root: RootFs, { entries, made }: PlannedCopy): readonly Entry[] | undefined {
  /** Directories that the root does not have: nothing can be in the way in them. */
  const absent = new Set<string>();
  let laid: Entry[] | undefined;
  for (const [at, entry] of entries.entries()) {
    const path = `/${entry.path}`;
    const there = absent.has(parentPath(path)) ? undefined : root.lstat(path);
    if (there === undefined) {
      if (entry.kind === "directory") absent.add(path);
      continue;
    }
    if (there.kind !== "directory" || entry.kind !== "directory") return undefined;
    // Of a directory that was copied, the source's attributes win.
    if (!made.has(path) || isSame(entry, there)) continue;
    laid ??= [...entries];
    laid[at] = asItIs(entry, there);
  }
  root.applyEntries(laid ?? entries);
  return laid ?? entries;
}

function isSame(entry: DirectoryEntry, there: SourceNode): boolean {
  return (
    entry.mode === there.mode &&
    entry.uid === there.uid &&
    entry.gid === there.gid &&
    entry.mtime === there.mtime &&
    there.xattrs === undefined
  );
}

function asItIs({ kind, path }: DirectoryEntry, { mode, uid, gid, mtime, xattrs }: SourceNode): Entry {
  return { kind, path, mode, uid, gid, mtime, ...(xattrs === undefined ? {} : { xattrs }) };
}
