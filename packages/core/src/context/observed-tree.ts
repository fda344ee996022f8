import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { ContextError } from "./context-error.ts";
import { joinPath, parentPath } from "./path.ts";
import type { Glance, Glimpse, SourceNode, SourceTree } from "./source-tree.ts";

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
  let fields: Field[] = [];
  for (const [name, path] of looks(seen, { directories, paths })) {
    fields.push(name);
    if (path === undefined) continue;
    if (!addState(fields, lookAt(seen, path), latest)) return undefined;
    if (fields.length < BATCH) continue;
    hash.update(fields.join("\0"));
    fields = [""];
    // Other work of the process gets its turn.
    await setImmediate();
  }
  return hash.update(fields.join("\0")).digest("hex");
}

/** What a directory is called before its names, and each name with the path to look at. */
function* looks(
  seen: Glance,
  { directories, paths }: Observation,
): Generator<readonly [name: string, path?: string], void, void> {
  for (const directory of directories) {
    yield [directory];
    yield ["names"];
    for (const name of namesIn(seen, directory)) yield [name, joinPath(directory, name)];
  }
  for (const path of paths) yield [path, path];
}

type Field = string | number | undefined;

/** Fields hashed in one go, of a thousand paths: a call for each would cost more than the hashing, and all of them much memory. */
const BATCH = 8000;

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

function namesIn(seen: Glance, directory: string): readonly string[] {
  return unlessRefused(
    () => seen.list(directory),
    () => [],
  );
}

function lookAt(seen: Glance, path: string): Glimpse | string {
  return unlessRefused<Glimpse | string>(
    () => seen.look(path) ?? "nothing",
    (code) => code,
  );
}

/** What cannot be looked at is told, with its place, by whoever needs it; nobody may. */
function unlessRefused<T>(look: () => T, refused: (code: string) => T): T {
  try {
    return look();
  } catch (error) {
    if (error instanceof ContextError) return refused(error.code);
    throw error;
  }
}

/** `false`: it is of a file of which nobody can tell what it is. */
function addState(fields: Field[], found: Glimpse | string, latest: number): boolean {
  if (typeof found === "string") {
    fields.push(found);
    return true;
  }
  const { node, identity } = found;
  const { kind, mode, uid, gid, mtime } = node;
  if (kind === "file" && identity === undefined) return false;
  const time = kind === "directory" ? Math.min(mtime, latest) : mtime;
  fields.push(kind, mode, uid, gid, time, identity, restOf(node));
  return true;
}

/** What few nodes have. */
function restOf(node: SourceNode): string {
  const { linkTarget = "", linkGroup = "", deviceMajor = "", deviceMinor = "", xattrs } = node;
  if (linkTarget === "" && linkGroup === "" && deviceMajor === "" && xattrs === undefined) return "";
  const attributes = xattrs === undefined ? "" : JSON.stringify(xattrs);
  // What a link leads to may have any character but NUL.
  return [linkGroup, `${deviceMajor}:${deviceMinor}`, attributes, linkTarget].join(" ");
}
