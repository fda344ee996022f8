import { parentPath } from "../context/path.ts";
import type { SourceNode } from "../context/source-tree.ts";
import type { DirectoryEntry, Entry } from "../layer/entry.ts";
import type { PlannedCopy } from "./copy.ts";
import { placesBelow } from "./held.ts";
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
  /** Where in the list the directories are that only lead to the destination, and are there already. */
  const passed: number[] = [];
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
    if (!made.has(path)) continue;
    passed.push(at);
    if (isSame(entry, there)) continue;
    laid ??= [...entries];
    laid[at] = asItIs(entry, there);
  }
  const unchanged = unchangedOf(entries, passed);
  const changes = laid ?? entries;
  const result = unchanged.size === 0 ? changes : changes.filter((_, at) => !unchanged.has(at));
  root.applyEntries(result);
  return result;
}

/** Those of the directories into which nothing comes. */
function unchangedOf(entries: readonly Entry[], passed: readonly number[]): ReadonlySet<number> {
  const unchanged = new Set<number>();
  // What is below comes after, so the deepest is seen first.
  for (const at of passed.toReversed()) {
    const { from, to } = placesBelow(entries, entries[at]?.path ?? "", at);
    let below = from;
    while (below < to && unchanged.has(below)) below++;
    if (below === to) unchanged.add(at);
  }
  return unchanged;
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
