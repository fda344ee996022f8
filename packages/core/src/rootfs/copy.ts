import { filteredTree } from "../context/filtered-tree.ts";
import { cleanPath, joinPath } from "../context/path.ts";
import { subTree } from "../context/sub-tree.ts";
import type { FileContent, SourceNode } from "../context/source-tree.ts";
import type { Entry } from "../layer/entry.ts";
import { isArchive, unpackArchive, type ArchiveStep } from "./archive.ts";
import { changeSet, fillingOf, type ChangeSet } from "./change-set.ts";
import { blocked, copierFor, type Copier } from "./copier.ts";
import { copyParents } from "./copy-parents.ts";
import { chooseSources, type Chosen } from "./copy-sources.ts";
import type { CopySource, CopyStep, WrittenFile } from "./copy-step.ts";
import { makeDirectories } from "./directories.ts";
import { emptyRootFs, type LayerContent, type RootFs } from "./rootfs.ts";

/** An ADD of local files; archives among them are unpacked. */
export interface AddStep extends CopyStep {
  /** Gives the bytes of an archive's files when the layer is written; `--unpack=false`: absent. */
  readonly archives?: (archive: FileContent) => LayerContent;
}

/**
 * Does what COPY does to the files (reference: BuildKit's file operations), without reading one.
 *
 * @returns the layer's entries
 * @throws {CopyError} `COPY_SOURCE_MISSING`, `COPY_CONFLICT`, `COPY_NAME_RESERVED`
 */
export function copy(root: RootFs, step: CopyStep): readonly Entry[] {
  const changes = changesOf(root, step);
  for (const source of step.sources) copyOne(changes, step, source);
  return finished(root, changes);
}

/** What a COPY comes to in an empty root. */
export interface PlannedCopy {
  readonly entries: readonly Entry[];
  /** Directories among them that only lead to the destination: where one is there already, it stays as it is. */
  readonly made: ReadonlySet<string>;
}

/** As {@link copy}, into an empty root. */
export function planCopy(step: CopyStep): PlannedCopy {
  const changes = fillingOf(emptyRootFs());
  for (const source of step.sources) copyOne(changes, step, source);
  return { entries: changes.entries(), made: changes.made };
}

/**
 * Does what ADD does to the files: as {@link copy}, but sources that are archives are unpacked. Reads those.
 *
 * @returns the layer's entries
 * @throws as {@link copy}, and {@link unpackArchive}
 */
export async function add(root: RootFs, step: AddStep): Promise<readonly Entry[]> {
  const changes = changesOf(root, step);
  for (const source of step.sources) {
    if (step.archives === undefined) {
      copyOne(changes, step, source);
      continue;
    }
    if (source.kind === "written") {
      if (source.unpack === true && (await isArchive(source.content.stream())))
        await unpackArchive(changes, archiveStep(step, source.content, step.archives));
      else copyOne(changes, step, source);
      continue;
    }
    for (const chosen of chooseSources(source.tree, source.path, step)) {
      const file = chosen.node.kind === "file" ? chosen.tree.open(chosen.path) : undefined;
      if (file !== undefined && (await isArchive(file.stream()))) {
        chosen.tree.taken?.(chosen.path);
        await unpackArchive(changes, archiveStep(step, file, step.archives));
      } else {
        copyChosen(copierFor(changes, step), chosen, step);
      }
    }
  }
  return finished(root, changes);
}

function archiveStep(
  { destination, now, owner }: AddStep,
  file: FileContent,
  archives: NonNullable<AddStep["archives"]>,
): ArchiveStep {
  return {
    archive: file.stream(),
    content: archives(file),
    destination,
    now,
    ...(owner === undefined ? {} : { owner }),
  };
}

function changesOf(root: RootFs, { destinationLinks }: CopyStep): ChangeSet {
  return changeSet(destinationLinks === "replace" ? emptyRootFs() : root);
}

function finished(root: RootFs, changes: ChangeSet): readonly Entry[] {
  const entries = changes.entries();
  if (changes.root !== root) root.applyEntries(entries);
  return entries;
}

function copyOne(changes: ChangeSet, step: CopyStep, source: CopySource): void {
  if (source.kind === "written") return writeFile(changes, step, source);
  if (step.parents !== undefined) return copyParents(changes, source.tree, source.path, step);
  for (const chosen of chooseSources(source.tree, source.path, step)) {
    copyChosen(copierFor(changes, step), chosen, step);
  }
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
  const copier = copierFor(changes, step);
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
