import { bytesContent } from "../context/memory-tree.ts";
import { baseName, compareBytes, joinPath, parentPath, sortByBytes } from "../context/path.ts";
import { resolveInside, type Resolved, type ResolveOptions } from "../context/resolve.ts";
import type { FileContent, SourceNode, SourceTree } from "../context/source-tree.ts";
import type { Entry } from "../layer/entry.ts";
import { LayerError } from "../layer/layer-error.ts";
import {
  childrenOf,
  copyOf,
  entriesOf,
  heldOf,
  ownEntries,
  PLAIN_DIRECTORY,
  rangeBelow,
  type Held,
  type OwnEntry,
} from "./held.ts";
import type { IndexEntry, LayerIndex } from "./layer-index.ts";
import { linkBudget, type LinkBudget } from "./link-budget.ts";

/** Gives the bytes of a layer's files when somebody wants them. */
export interface LayerContent {
  /**
   * @param path - as the layer's index names it
   * @param earlier - files of that path that come before it in the layer
   */
  open(path: string, size: number, earlier?: number): FileContent;
}

/**
 * The root file system of an image as it is being made: the base's layers by their indexes, and what the steps so far
 * have put over them. Holds attributes, not bytes.
 */
export interface RootFs extends SourceTree {
  /**
   * Follows links inside the root, as the kernel would in a chroot; see {@link resolveInside}.
   *
   * @throws {ContextError} `SYMLINK_LOOP`
   */
  resolve(path: string, options?: ResolveOptions): Resolved;
  /**
   * A small file's bytes, links followed: one that a step has put there, or one of those whose content an index keeps.
   * `undefined`: there is none, or its bytes lie in a layer.
   */
  read(path: string): Uint8Array | undefined;
  /** What the index's collector found in the file at this very path. */
  facts(path: string): unknown;
  /**
   * Lays a base layer over what is there, as the runtimes do: whiteouts take from lower layers only, and something that
   * is no directory in a lower layer gives way to one.
   *
   * @throws {LayerError} `LAYER_INVALID` for a hard link to nothing
   */
  applyIndex(index: LayerIndex, content: LayerContent): void;
  /** Lays a new layer over what is there. The list is not to be changed afterwards. */
  applyEntries(entries: readonly Entry[]): void;
  /** All that is there but the root itself, in byte order of paths. */
  entries(): readonly Entry[];
  /** Puts one thing at a path; a directory over a directory keeps what is in it. Missing parents are 0755, 0:0. */
  put(path: string, node: SourceNode, content?: FileContent): void;
  remove(path: string): void;
  /** A number for what happens next, to tell the hard links of one step from those of another. */
  beginStep(): number;
  /** A copy that changes on its own, as `FROM stage` needs it. */
  clone(): RootFs;
}

/** The root file system of `scratch`. */
export function emptyRootFs(): RootFs {
  return rootFsOf({ node: PLAIN_DIRECTORY, children: new Map() }, 0);
}

function rootFsOf(top: Held, stepsSoFar: number): RootFs {
  let step = stepsSoFar;

  /** Directories that no layer lists. */
  let unlisted = 0;

  /** The directory looked into last: paths come in the order of a tree. Forgotten whenever something goes. */
  let recent: { readonly path: string; readonly children: Map<string, Held> } | undefined;

  function childrenAt(directory: string): Map<string, Held> | undefined {
    if (recent?.path === directory) return recent.children;
    const children = childrenOf(walkTo(directory));
    if (children !== undefined) recent = { path: directory, children };
    return children;
  }

  function walkTo(directory: string): Held | undefined {
    // Whoever goes down a tree, as in following links, comes from the directory above.
    if (recent !== undefined && directory !== "/" && recent.path === parentPath(directory))
      return recent.children.get(baseName(directory));
    let at: Held | undefined = top;
    for (const name of directory.split("/")) if (name !== "") at = childrenOf(at)?.get(name);
    return at;
  }

  function find(path: string): Held | undefined {
    return path === "/" ? top : childrenAt(parentPath(path))?.get(baseName(path));
  }

  /** What is in the directory at a path, which is made where it is not. */
  function madeChildren(directory: string): Map<string, Held> {
    const known = childrenAt(directory);
    if (known !== undefined) return known;
    let children = childrenOf(top) ?? new Map<string, Held>();
    for (const name of directory.split("/")) {
      if (name === "") continue;
      let below = childrenOf(children.get(name));
      if (below === undefined) {
        countUnlisted();
        below = new Map<string, Held>();
        children.set(name, { node: PLAIN_DIRECTORY, children: below });
      }
      children = below;
    }
    recent = { path: directory, children };
    return children;
  }

  function countUnlisted(): void {
    unlisted += 1;
    if (unlisted <= MOST_UNLISTED) return;
    throw new LayerError(
      "LAYER_INVALID",
      `The image's layers leave out more than ${MOST_UNLISTED} directories of the paths that they list.`,
    );
  }

  function hold(path: string, held: Omit<Held, "children">): void {
    if (path === "/") {
      if (held.node.kind === "directory") top.node = held.node;
      return;
    }
    const parent = madeChildren(parentPath(path));
    const name = baseName(path);
    const before = childrenOf(parent.get(name));
    if (held.node.kind === "directory" && held.later === undefined) {
      parent.set(name, { ...held, children: before ?? new Map<string, Held>() });
    } else {
      if (before !== undefined) recent = undefined;
      parent.set(name, held);
    }
  }

  function remove(path: string): void {
    childrenAt(parentPath(path))?.delete(baseName(path));
    recent = undefined;
  }

  function clear(path: string): void {
    childrenOf(find(path))?.clear();
    recent = undefined;
  }

  function link(path: string, target: string): void {
    const held = find(target);
    if (held === undefined || held.node.kind === "directory") {
      throw new LayerError(
        "LAYER_INVALID",
        `${path} is a hard link to ${target}, which is not a file of the image.`,
      );
    }
    held.node = { ...held.node, linkGroup: held.node.linkGroup ?? `${step}:${target}` };
    hold(path, held);
  }

  /** Where a member of the current layer goes when the layer itself has put a link on the way. */
  function placeOf(path: string, { links, budget }: OwnLinks): string {
    const parent = parentPath(path);
    if (links.size === 0 || childrenAt(parent) !== undefined || !leadsThrough(parent, links)) return path;
    return joinPath(resolveInside(budget.along(tree, parent), parent).path, baseName(path));
  }

  function leadsThrough(directory: string, links: ReadonlySet<Held>): boolean {
    let at: Held | undefined = top;
    for (const name of directory.split("/")) {
      if (name === "") continue;
      at = childrenOf(at)?.get(name);
      if (at === undefined || at.node.kind !== "directory") break;
    }
    return at !== undefined && links.has(at);
  }

  const tree: RootFs = {
    lstat: (path) => find(path)?.node,
    list: (path) => sortByBytes([...(childrenOf(find(path))?.keys() ?? [])]),
    open(path) {
      const held = find(path);
      if (held?.content !== undefined) return held.content;
      throw new LayerError("LAYER_INVALID", `${path} is not a file of the image.`);
    },
    resolve: (path, options) => resolveInside(tree, path, options),
    read(path) {
      const { path: real, node, obstacle } = resolveInside(tree, path);
      if (node?.kind !== "file" || obstacle !== undefined) return undefined;
      const held = find(real);
      return held?.bytes ?? held?.content?.readAt?.(0, node.size);
    },
    facts: (path) => find(path)?.facts,
    applyIndex(index, content) {
      step++;
      for (const { kind, path } of index.entries) {
        if (kind === "whiteout") remove(path);
        if (kind === "opaque") clear(path);
      }
      const ownLinks: OwnLinks = { links: new Set(), budget: linkBudget(tooManyLinks) };
      const repeated = new Map<string, number>();
      for (const { path, earlier } of index.entries) if (earlier !== undefined) repeated.set(path, earlier);
      for (const entry of index.entries) {
        if (entry.kind === "whiteout" || entry.kind === "opaque") continue;
        const path = placeOf(entry.path, ownLinks);
        if (entry.kind === "hardlink") {
          link(path, placeOf(entry.linkTarget ?? "/", ownLinks));
          continue;
        }
        const isLast = (repeated.get(entry.path) ?? 0) === (entry.earlier ?? 0);
        const kept = entry.kind === "file" && isLast ? index.files[entry.path] : undefined;
        const held: Held = {
          node: nodeOf(entry, entry.kind),
          ...(entry.kind === "file" ? { content: contentOf(entry, kept, content, index.collector) } : {}),
          ...(kept === undefined ? {} : { bytes: Buffer.from(kept, "base64") }),
          ...(entry.facts === undefined ? {} : { facts: entry.facts }),
        };
        if (entry.kind === "symlink") ownLinks.links.add(held);
        hold(path, held);
      }
    },
    applyEntries(entries) {
      step++;
      const all = inOrder(entries);
      const own = ownEntries(all);
      if (own !== undefined) return lay(own);
      for (const entry of all) if (entry.kind === "whiteout") removeWhited(entry.path);
      for (const entry of all) {
        if (entry.kind === "whiteout") continue;
        if (entry.kind === "hardlink") link(`/${entry.path}`, `/${entry.linkTarget}`);
        else hold(`/${entry.path}`, heldOf(entry));
      }
    },
    entries: () => entriesOf(top),
    put(path, node, content) {
      hold(path, content === undefined ? { node } : { node, content });
    },
    remove,
    beginStep: () => ++step,
    clone: () => rootFsOf(copyOf(top), step),
  };

  /** What comes into directories that are not there yet is laid when somebody looks into them. */
  function lay(entries: readonly OwnEntry[]): void {
    const ends = new Map<number, number>();
    for (let at = 0; at < entries.length;) {
      const end = ends.get(at);
      const entry = entries[at];
      at = end ?? at + 1;
      if (end !== undefined || entry === undefined) continue;
      const path = `/${entry.path}`;
      if (entry.kind !== "directory" || find(path) !== undefined) {
        hold(path, heldOf(entry));
        continue;
      }
      const later = rangeBelow(entries, entry.path, at, entries.length);
      hold(path, { ...heldOf(entry), later });
      if (later.from < later.to) ends.set(later.from, later.to);
    }
  }

  function removeWhited(path: string): void {
    if (baseName(path) === ".wh..opq") clear(parentPath(`/${path}`));
    else remove(`/${path}`);
  }

  return tree;
}

/** Links that the layer at hand has put there. */
interface OwnLinks {
  readonly links: Set<Held>;
  readonly budget: LinkBudget;
}

function tooManyLinks(): LayerError {
  return new LayerError("LAYER_INVALID", "The layer's members lead through too many of its own links.");
}

/** Real layers list nearly all of their directories; of a path of 4096 characters each could make 2048. */
const MOST_UNLISTED = 250_000;

/** The list itself where it is in byte order of paths already. */
function inOrder(entries: readonly Entry[]): readonly Entry[] {
  const isSorted = entries.every(({ path }, at) => compareBytes(entries[at - 1]?.path ?? "", path) <= 0);
  return isSorted ? entries : [...entries].sort((a, b) => compareBytes(a.path, b.path));
}

/** Facts go with the bytes, so that they come along when a COPY takes the file. */
function contentOf(
  entry: IndexEntry,
  kept: string | undefined,
  content: LayerContent,
  collector: string,
): FileContent {
  if (kept !== undefined) return bytesContent(Buffer.from(kept, "base64"));
  if (entry.size === undefined) return bytesContent(new Uint8Array(0));
  const opened = content.open(entry.path, entry.size, entry.earlier);
  return collector === "" ? opened : { ...opened, facts: entry.facts ?? null };
}

function nodeOf(entry: IndexEntry, kind: SourceNode["kind"]): SourceNode {
  return {
    kind,
    mode: entry.mode ?? 0,
    uid: entry.uid ?? 0,
    gid: entry.gid ?? 0,
    mtime: entry.mtime ?? 0,
    size: entry.size ?? 0,
    ...(entry.linkTarget === undefined ? {} : { linkTarget: entry.linkTarget }),
    ...(entry.deviceMajor === undefined ? {} : { deviceMajor: entry.deviceMajor }),
    ...(entry.deviceMinor === undefined ? {} : { deviceMinor: entry.deviceMinor }),
    ...(entry.xattrs === undefined ? {} : { xattrs: decoded(entry.xattrs) }),
  };
}

function decoded(xattrs: Readonly<Record<string, string>>): Record<string, Uint8Array> {
  return Object.fromEntries(
    Object.entries(xattrs).map(([key, value]) => [key, Buffer.from(value, "base64")]),
  );
}
