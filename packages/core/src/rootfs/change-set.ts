import { baseName, compareBytes, LONGEST_PATH, parentPath } from "../context/path.ts";
import type { FileContent, SourceNode } from "../context/source-tree.ts";
import type { Entry } from "../layer/entry.ts";
import { CopyError } from "./copy-error.ts";
import { entryList } from "./entry-list.ts";
import type { RootFs } from "./rootfs.ts";

/** Changes a root file system and remembers what became different: one step's layer. */
export interface ChangeSet {
  readonly root: RootFs;
  /** Of this change set alone among those of the root. */
  readonly step: number;
  /** A number for one tree that is copied: hard links are kept within it, and not from one tree to the next. */
  beginTree(): number;
  /**
   * As {@link RootFs.put}.
   *
   * @throws {CopyError} `COPY_NAME_RESERVED` for a name that a layer cannot hold, `COPY_CONFLICT` for a path that is too long
   */
  put(path: string, node: SourceNode, content?: FileContent): void;
  /** Puts a directory that is only needed for what comes into it. */
  make(path: string, node: SourceNode): void;
  /** Directories that were made so, and that nothing else has been put over. */
  readonly made: ReadonlySet<string>;
  /**
   * Puts all that comes into a directory in which there is nothing, in byte order of paths that {@link checkPath} has let pass.
   * Absent where each change is remembered.
   */
  fill?(entries: readonly Entry[]): void;
  remove(path: string): void;
  /**
   * What stands now at the changed paths and, with the attributes they have, at their parents; as BuildKit's differ
   * lists it. The root itself is not listed.
   */
  entries(): readonly Entry[];
}

export function changeSet(root: RootFs): ChangeSet {
  const changed = new Set<string>();
  /** Directories that gave way to something else: what lower layers have in them must not come back. */
  const emptied = new Set<string>();
  const removed = new Set<string>();

  return {
    ...puttingIn(root, (path, node, content) => {
      if (node.kind !== "directory" && root.lstat(path)?.kind === "directory") emptied.add(path);
      root.put(path, node, content);
      changed.add(path);
    }),
    remove(path) {
      if (root.lstat(path)?.kind === "directory") emptied.add(path);
      root.remove(path);
      changed.delete(path);
      removed.add(path);
    },
    entries() {
      const listed = new Map<string, SourceNode>();
      const list = (path: string): void => {
        const node = path === "/" ? undefined : root.lstat(path);
        if (node !== undefined) listed.set(path, node);
      };
      for (const path of changed) list(path);
      // With a directory that gave way to something else, all that it held is gone.
      const gone = [...removed].filter(
        (path) => root.lstat(path) === undefined && root.lstat(parentPath(path))?.kind === "directory",
      );
      // Whatever is above a directory that was looked at has been looked at too.
      const above = new Set<string>();
      for (const path of [...listed.keys(), ...gone]) {
        for (let at = parentPath(path); at !== "/" && !above.has(at); at = parentPath(at)) above.add(at);
      }
      for (const path of above) if (!listed.has(path)) list(path);
      const entries = entryList();
      for (const path of [...listed.keys()].sort(compareBytes)) {
        const node = listed.get(path);
        if (node === undefined) continue;
        entries.add(path.slice(1), node, node.kind === "file" ? root.open(path) : undefined);
      }
      const whiteouts = gone.map((path): Entry => ({ kind: "whiteout", path: path.slice(1) }));
      const opaque = [...emptied]
        .filter((path) => root.lstat(path)?.kind === "directory")
        .map((path): Entry => ({ kind: "whiteout", path: `${path.slice(1)}/.wh..opq` }));
      return [...entries.entries, ...whiteouts, ...opaque];
    },
  };
}

/** Of an empty root: all that is there in the end is the change, and none of it needs to be remembered. */
export function fillingOf(root: RootFs): ChangeSet {
  return {
    ...puttingIn(root, (path, node, content) => root.put(path, node, content)),
    fill: (entries) => root.applyEntries(entries),
    remove: (path) => root.remove(path),
    entries: () => root.entries(),
  };
}

/** What every change set has. */
function puttingIn(
  root: RootFs,
  change: ChangeSet["put"],
): Pick<ChangeSet, "root" | "step" | "beginTree" | "put" | "make" | "made"> {
  const made = new Set<string>();
  let trees = 0;

  function put(path: string, node: SourceNode, content?: FileContent): void {
    checkPath(path);
    change(path, node, content);
    if (made.size > 0) made.delete(path);
  }

  return {
    root,
    step: root.beginStep(),
    beginTree: () => (trees += 1),
    put,
    make(path, node) {
      put(path, node);
      made.add(path);
    },
    made,
  };
}

/** Bytes; NAME_MAX of Linux (limits.h). */
const LONGEST_NAME = 255;

/** @throws {CopyError} as {@link ChangeSet.put} */
export function checkPath(path: string): void {
  if (path.length > LONGEST_PATH) {
    throw new CopyError(
      "COPY_CONFLICT",
      `${path.slice(0, 60)}… has ${path.length} characters: file name too long`,
      { hint: `Copy to a path of at most ${LONGEST_PATH} characters.` },
    );
  }
  const name = baseName(path);
  if (name.length > LONGEST_NAME / 3 && Buffer.byteLength(name) > LONGEST_NAME) {
    throw new CopyError(
      "COPY_CONFLICT",
      `${path.slice(0, 60)}… has a name of over ${LONGEST_NAME} bytes: file name too long`,
      {
        hint: "No file system takes it: choose a shorter name.",
      },
    );
  }
  // Readers of a layer take such a name for an order to delete what stands beside it.
  if (!name.startsWith(".wh.")) return;
  throw new CopyError(
    "COPY_NAME_RESERVED",
    `${path} cannot be in an image: a name with .wh. at its start means a deletion in a layer.`,
    { hint: "Rename it, or leave it out with .dockerignore." },
  );
}
