import { createHash } from "node:crypto";
import { joinPath, parentPath } from "./path.ts";
import type { Glance, Glimpse, SourceTree } from "./source-tree.ts";

/** What somebody has looked at in a tree; enough to see later whether it is still the same. JSON. */
export interface Observation {
  /** Of which the names were asked for. What is directly in them counts as looked at. */
  readonly directories: readonly string[];
  /** Looked at elsewhere, whether something was there or not. */
  readonly paths: readonly string[];
}

export interface ObservedTree extends SourceTree {
  /** All that was looked at so far. */
  observation(): Observation;
}

/** A tree that remembers what was looked at. */
export function observedTree(tree: SourceTree): ObservedTree {
  const directories = new Set<string>();
  const paths = new Set<string>();
  return {
    lstat(path) {
      if (!directories.has(parentPath(path))) paths.add(path);
      return tree.lstat(path);
    },
    list(path) {
      directories.add(path);
      return tree.list(path);
    },
    open: (path) => tree.open(path),
    taken: (path) => tree.taken?.(path),
    ...(tree.glance === undefined ? {} : { glance: tree.glance }),
    ...(tree.missingHint === undefined ? {} : { missingHint: tree.missingHint }),
    observation: () => ({
      directories: [...directories],
      paths: [...paths].filter((path) => !directories.has(parentPath(path))),
    }),
  };
}

export interface SignatureOptions {
  /** Whether the time of a directory counts; that of all else always does. */
  readonly directoryTimes?: boolean;
  /** Whether to look anew, and remember nothing; else it is what the tree has found so far. */
  readonly anew?: boolean;
}

/**
 * A name for the state of all that an observation tells of: the same as long as nothing of it changed.
 *
 * `undefined`: there is a file that cannot be told from what it may become.
 */
export function signatureOf(
  tree: SourceTree,
  { directories, paths }: Observation,
  { directoryTimes = false, anew = false }: SignatureOptions = {},
): string | undefined {
  const seen = (anew ? tree.glance : undefined) ?? remembered(tree);
  const hash = createHash("sha256");
  let lines: string[] = [];
  const flush = (): void => {
    hash.update(lines.join(""));
    lines = [];
  };
  const note = (path: string, name: string): boolean => {
    const state = stateOf(seen.look(path), directoryTimes);
    if (state === undefined) return false;
    if (lines.push(`${name}\0${state}\0`) >= BATCH) flush();
    return true;
  };
  for (const directory of directories) {
    lines.push(`${directory}\0names\0`);
    for (const name of seen.list(directory)) if (!note(joinPath(directory, name), name)) return undefined;
  }
  for (const path of paths) if (!note(path, path)) return undefined;
  flush();
  return hash.digest("hex");
}

/** Lines hashed in one go: a call for each would cost more than the hashing, and all of them much memory. */
const BATCH = 1000;

function remembered(tree: SourceTree): Glance {
  return {
    list: (path) => tree.list(path),
    look(path) {
      const node = tree.lstat(path);
      if (node === undefined) return undefined;
      return { node, identity: node.kind === "file" ? tree.open(path).identity : undefined };
    },
  };
}

function stateOf(found: Glimpse | undefined, directoryTimes: boolean): string | undefined {
  if (found === undefined) return "nothing";
  const { node, identity } = found;
  // Its times say whether its mode or its number of names changed.
  if (node.kind === "file") return identity;
  const { mtime, ...others } = node;
  return JSON.stringify(node.kind === "directory" && !directoryTimes ? others : { ...others, mtime });
}
