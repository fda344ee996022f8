import { filteredTree } from "../context/filtered-tree.ts";
import { cleanPath, joinPath } from "../context/path.ts";
import { subTree } from "../context/sub-tree.ts";
import type { SourceNode } from "../context/source-tree.ts";
import type { Entry } from "../layer/entry.ts";
import { changeSet, type ChangeSet } from "./change-set.ts";
import { blocked, copierFor, type Copier } from "./copier.ts";
import { copyParents } from "./copy-parents.ts";
import { chooseSources, type Chosen, type WrittenFile } from "./copy-sources.ts";
import type { CopySource, CopyStep } from "./copy-step.ts";
import { makeDirectories } from "./directories.ts";
import { emptyRootFs, type RootFs } from "./rootfs.ts";

/**
 * Does what COPY does to the files (reference: BuildKit's file operations), without reading one.
 *
 * @returns the layer's entries
 * @throws {CopyError} `COPY_SOURCE_MISSING`, `COPY_CONFLICT`, `COPY_NAME_RESERVED`
 */
export function copy(root: RootFs, step: CopyStep): Entry[] {
  const linked = step.destinationLinks === "replace";
  const changes = changeSet(linked ? emptyRootFs() : root);
  for (const [index, source] of step.sources.entries()) copyOne(changes, step, source, `copy${index}`);
  const entries = changes.entries();
  if (linked) root.applyEntries(entries);
  return entries;
}

function copyOne(changes: ChangeSet, step: CopyStep, source: CopySource, scope: string): void {
  const copier = copierFor(changes, step, scope);
  if (source.kind === "written") return writeFile(changes, step, source);
  if (step.parents !== undefined) return copyParents(copier, source.tree, source.path, step);
  for (const chosen of chooseSources(source.tree, source.path, step.match)) copyChosen(copier, chosen, step);
}

function copyChosen(copier: Copier, { tree, path, node, name }: Chosen, step: CopyStep): void {
  const destination = destinationOf(copier.changes.root, step.destination);
  if (node.kind !== "directory") {
    makeParents(copier, destination);
    return copier.place(
      tree,
      path,
      node,
      destination.isDirectory ? joinPath(destination.path, name) : destination.path,
    );
  }
  if (destination.node !== undefined && destination.node.kind !== "directory") {
    throw blocked(destination.path, destination.node);
  }
  makeDirectories(copier.changes, destination.path, copier.madeOnTheWay);
  tree.taken?.(path);
  const below = subTree(tree, path);
  copier.contents(
    step.exclude === undefined ? below : filteredTree(below, step.exclude),
    "/",
    destination.path,
  );
}

function writeFile(changes: ChangeSet, step: CopyStep, { name, content, mode, mtime }: WrittenFile): void {
  const copier = copierFor(changes, step, "");
  const destination = destinationOf(changes.root, step.destination);
  makeParents(copier, destination);
  const node: SourceNode = { kind: "file", mode, uid: 0, gid: 0, mtime, size: content.size };
  const tree = { lstat: () => node, list: () => [], open: () => content };
  copier.place(
    tree,
    `/${name}`,
    node,
    destination.isDirectory ? joinPath(destination.path, name) : destination.path,
  );
}

interface Destination {
  /** Links followed. */
  readonly path: string;
  readonly node: SourceNode | undefined;
  readonly isDirectory: boolean;
}

function destinationOf(root: RootFs, destination: string): Destination {
  const { path, node } = root.resolve(cleanPath(destination));
  return { path, node, isDirectory: /(?:^|\/)\.?$/.test(destination) || node?.kind === "directory" };
}

function makeParents({ changes, madeOnTheWay }: Copier, { path, isDirectory }: Destination): void {
  makeDirectories(changes, isDirectory ? path : path.slice(0, path.lastIndexOf("/")), madeOnTheWay);
}
