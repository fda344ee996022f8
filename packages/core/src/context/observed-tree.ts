import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { ContextError } from "./context-error.ts";
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
  /** No time of a directory counts beyond this one: seconds since 1970. That of all else always does. Default: none counts. */
  readonly latest?: number;
  /** Whether to look anew, and remember nothing; else it is what the tree has found so far. */
  readonly anew?: boolean;
}

/**
 * A name for the state of all that an observation tells of: the same as long as nothing of it changed.
 *
 * `undefined`: there is a file that cannot be told from what it may become.
 */
export async function signatureOf(
  tree: SourceTree,
  { directories, paths }: Observation,
  { latest = Number.NEGATIVE_INFINITY, anew = false }: SignatureOptions = {},
): Promise<string | undefined> {
  const seen = (anew ? tree.glance : undefined) ?? remembered(tree);
  const hash = createHash("sha256");
  for (const lines of batched(linesOf(seen, { directories, paths }, latest))) {
    if (lines.includes(undefined)) return undefined;
    hash.update(lines.join(""));
    // Other work of the process gets its turn.
    await setImmediate();
  }
  return hash.digest("hex");
}

/** `undefined`: of that path nothing can be said. */
function* linesOf(
  seen: Glance,
  { directories, paths }: Observation,
  latest: number,
): Generator<string | undefined, void, void> {
  const lineOf = (path: string, name: string): string | undefined => {
    const state = stateAt(seen, path, latest);
    return state === undefined ? undefined : `${name}\0${state}\0`;
  };
  for (const directory of directories) {
    yield `${directory}\0names\0`;
    for (const name of seen.list(directory)) yield lineOf(joinPath(directory, name), name);
  }
  for (const path of paths) yield lineOf(path, path);
}

function* batched<T>(items: Iterable<T>): Generator<T[], void, void> {
  let batch: T[] = [];
  for (const item of items) {
    if (batch.push(item) < BATCH) continue;
    yield batch;
    batch = [];
  }
  yield batch;
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

/** What cannot be looked at is told by whoever needs it; nobody may. */
function stateAt(seen: Glance, path: string, latest: number): string | undefined {
  try {
    return stateOf(seen.look(path), latest);
  } catch (error) {
    if (error instanceof ContextError) return error.code;
    throw error;
  }
}

function stateOf(found: Glimpse | undefined, latest: number): string | undefined {
  if (found === undefined) return "nothing";
  const { node, identity } = found;
  const { kind, mode, uid, gid, mtime, linkTarget = "", linkGroup = "", xattrs } = node;
  if (kind === "file" && identity === undefined) return undefined;
  const time = kind === "directory" ? Math.min(mtime, latest) : mtime;
  const device = `${node.deviceMajor ?? ""}:${node.deviceMinor ?? ""}`;
  const attributes = xattrs === undefined ? "" : JSON.stringify(xattrs);
  // What a link leads to may have any character but NUL.
  return [kind, mode, uid, gid, time, identity, linkGroup, device, attributes, linkTarget].join(" ");
}
