import { compareBytes, sortByBytes } from "../context/path.ts";
import type { FileContent, SourceNode } from "../context/source-tree.ts";
import type { Entry, WhiteoutEntry } from "../layer/entry.ts";
import { entryList, relativePath, walkInPathOrder } from "./entry-list.ts";

/** What is at a path of a root file system. */
export interface Held {
  node: SourceNode;
  /** Of directories; to be had by {@link childrenOf}. */
  children?: Map<string, Held>;
  /** Of directories that nobody has looked into: what is in them. */
  later?: EntryRange | undefined;
  readonly content?: FileContent;
  /** Kept by an index. */
  readonly bytes?: Uint8Array;
  readonly facts?: unknown;
}

export const PLAIN_DIRECTORY: SourceNode = {
  kind: "directory",
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: 0,
  size: 0,
};

/** An entry that is whole by itself. */
export type OwnEntry = Exclude<Entry, WhiteoutEntry | { readonly kind: "hardlink" }>;

/** What lies below a directory in a list in byte order of paths. Of a large layer hardly anything is ever looked at. */
export interface EntryRange {
  readonly entries: readonly OwnEntry[];
  /** The directory's path, with a `/` at its end. */
  readonly prefix: string;
  readonly from: number;
  readonly to: number;
}

/** `undefined`: one of them says something of another path. */
export function ownEntries(entries: readonly Entry[]): readonly OwnEntry[] | undefined {
  const isOwn = (entry: Entry): entry is OwnEntry => entry.kind !== "whiteout" && entry.kind !== "hardlink";
  return entries.every(isOwn) ? entries : undefined;
}

/** @param path - of the directory, relative to the root */
export function rangeBelow(entries: readonly OwnEntry[], path: string, from: number, to: number): EntryRange {
  return { entries, prefix: `${path}/`, ...placesBelow(entries, path, from, to) };
}

/** Where in a list in byte order of paths, between two places, what lies below a directory begins and ends. */
export function placesBelow(
  entries: readonly Entry[],
  directory: string,
  from: number,
  to: number = entries.length,
): { readonly from: number; readonly to: number } {
  const first = placeOf(`${directory}/`, entries, from, to);
  // What comes after `/`.
  return { from: first, to: placeOf(`${directory}0`, entries, first, to) };
}

/** The first of the entries that is not before a path. */
function placeOf(path: string, entries: readonly Entry[], first: number, end: number): number {
  let from = first;
  for (let to = end; from < to;) {
    const middle = (from + to) >>> 1;
    if (compareBytes(entries[middle]?.path ?? "", path) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** What is in a directory; `undefined`: it is none. */
export function childrenOf(held: Held | undefined): Map<string, Held> | undefined {
  if (held?.later === undefined) return held?.children;
  held.children = heldIn(held.later);
  held.later = undefined;
  return held.children;
}

/** The entries directly in a directory; what is in further directories stays for later. */
function heldIn({ entries, prefix, from, to }: EntryRange): Map<string, Held> {
  const children = new Map<string, Held>();
  /** Where what is in a directory begins, and where it ends: names like `a-b` stand between `a` and `a/b`. */
  const ends = new Map<number, number>();
  for (let at = from; at < to;) {
    const end = ends.get(at);
    const entry = entries[at];
    if (end !== undefined || entry === undefined) {
      at = end ?? to;
      continue;
    }
    const rest = entry.path.slice(prefix.length);
    const [name = ""] = rest.split("/", 1);
    const isBelow = name !== rest;
    at += isBelow ? 0 : 1;
    if (!isBelow && entry.kind !== "directory") {
      children.set(name, heldOf(entry));
      continue;
    }
    const later = rangeBelow(entries, prefix + name, at, to);
    children.set(name, { ...(isBelow ? { node: PLAIN_DIRECTORY } : heldOf(entry)), later });
    if (later.from < later.to) ends.set(later.from, later.to);
  }
  return children;
}

export function heldOf(entry: OwnEntry): Held {
  const { kind, mode, uid, gid, mtime, xattrs } = entry;
  if (entry.kind === "file") {
    const { content } = entry;
    const node: SourceNode = { kind, mode, uid, gid, mtime, size: content.size };
    return { node: xattrs === undefined ? node : { ...node, xattrs }, content };
  }
  return {
    node: {
      kind,
      mode,
      uid,
      gid,
      mtime,
      size: 0,
      ...("linkTarget" in entry ? { linkTarget: entry.linkTarget } : {}),
      ...("deviceMajor" in entry ? { deviceMajor: entry.deviceMajor } : {}),
      ...("deviceMinor" in entry ? { deviceMinor: entry.deviceMinor } : {}),
      ...(xattrs === undefined ? {} : { xattrs }),
    },
  };
}

/** All that is below a directory, in byte order of paths. */
export function entriesOf(top: Held): readonly Entry[] {
  const list = entryList();
  walkInPathOrder(
    { held: top, path: "" },
    ({ held: { children, later } }) => {
      if (later === undefined) return sortByBytes([...(children?.keys() ?? [])]);
      list.addAll(later.entries, later.from, later.to);
      return [];
    },
    (directory, name) => {
      const held = directory.held.children?.get(name);
      if (held === undefined) return undefined;
      const path = relativePath(directory.path, name);
      list.add(path, held.node, held.content);
      return held.node.kind === "directory" ? { held, path } : undefined;
    },
  );
  return list.entries;
}

/** A copy that changes on its own. */
export function copyOf(held: Held): Held {
  if (held.children === undefined) return { ...held };
  const children = new Map<string, Held>();
  for (const [name, child] of held.children) children.set(name, copyOf(child));
  return { ...held, children };
}
