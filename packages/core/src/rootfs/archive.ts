import { FormatError } from "@undocked/registry";
import { beginsTar, readTar, type TarHeader, type TarLimits } from "@undocked/registry/tar";
import { baseName, cleanPath, joinPath, LONGEST_PATH, parentPath } from "../context/path.ts";
import { resolveInside } from "../context/resolve.ts";
import type { FileContent, SourceNode, SourceTree } from "../context/source-tree.ts";
import { subTree } from "../context/sub-tree.ts";
import { earlierFiles } from "../layer/earlier-files.ts";
import { inflated } from "../layer/inflate.ts";
import { LayerError } from "../layer/layer-error.ts";
import type { ChangeSet } from "./change-set.ts";
import { CopyError } from "./copy-error.ts";
import { makeDirectories, notDirectory } from "./directories.ts";
import { longestOf } from "./index-layer.ts";
import { linkBudget, type LinkBudget } from "./link-budget.ts";
import type { Owner } from "./owner.ts";
import type { LayerContent } from "./rootfs.ts";

/** An archive that ADD unpacks. */
export interface ArchiveStep {
  /** All of the archive, compressed or not. */
  readonly archive: AsyncIterable<Uint8Array>;
  /** Gives the bytes of its files later. */
  readonly content: LayerContent;
  /** Absolute; a directory, whatever it ends in. */
  readonly destination: string;
  /** For directories that are made on the way, in seconds since 1970. */
  readonly now: number;
  /** `--chown`. Default: as in the archive. */
  readonly owner?: Owner;
  readonly limits?: TarLimits;
}

/**
 * Whether ADD unpacks a file: a tar, compressed or not, whose first header can be read, whatever comes after it. An empty
 * tar is none.
 *
 * @param file - all of the file
 */
export async function isArchive(file: AsyncIterable<Uint8Array>): Promise<boolean> {
  try {
    return await beginsTar(inflated(file));
  } catch (error) {
    // Whatever else went wrong is not about what the file is.
    if (error instanceof LayerError && error.code === "LAYER_INVALID") return false;
    throw error;
  }
}

/**
 * Does what ADD of a local archive does to the files: owners, modes and times are the archive's, what stands in the way
 * is replaced, and no name leads out of the destination.
 *
 * @throws {CopyError} `COPY_CONFLICT`, `COPY_NAME_RESERVED`
 * @throws {FormatError} `TAR_INVALID`
 */
export async function unpackArchive(changes: ChangeSet, step: ArchiveStep): Promise<void> {
  const { path: destination } = changes.root.resolve(cleanPath(step.destination));
  makeDirectories(changes, destination, { uid: 0, gid: 0, ...step.owner, mode: 0o755, mtime: step.now });
  const seen: Seen = { links: new Map(), earlierOf: earlierFiles(), budget: linkBudget(tooManyLinks) };
  let unlisted = 0;
  for await (const { header } of readTar(inflated(step.archive), step.limits)) {
    const length = longestOf(header);
    if (length > LONGEST_PATH)
      throw new FormatError("TAR_INVALID", `The archive has a path of ${length} characters.`);
    const before = changes.made.size;
    unpack(changes, destination, header, step, seen);
    unlisted += (changes.made.size - before) * length;
    if (unlisted > MOST_UNLISTED)
      throw new FormatError(
        "TAR_INVALID",
        "The archive leaves out too many directories of the paths that it lists.",
      );
  }
  settleLinks(changes, seen.links);
}

/** Characters of paths; of a path of 4096 each could make 2048 directories. */
const MOST_UNLISTED = 64 * 1024 * 1024;

/** A file to which the archive's hard links lead, as the last of them says. */
interface LinkedFile {
  readonly node: SourceNode;
  readonly content: FileContent | undefined;
  readonly names: Set<string>;
}

/** By link group. */
type LinkedFiles = Map<string, LinkedFile>;

/** What is remembered of the members so far. */
interface Seen {
  readonly links: LinkedFiles;
  /** Asked once for each file. */
  readonly earlierOf: (path: string) => number;
  readonly budget: LinkBudget;
}

function tooManyLinks(): FormatError {
  return new FormatError("TAR_INVALID", "The archive's members lead through too many links.");
}

function unpack(
  changes: ChangeSet,
  destination: string,
  header: TarHeader,
  step: ArchiveStep,
  seen: Seen,
): void {
  const inner = cleanPath(header.path);
  // `.` is passed over, as by BuildKit: the destination keeps its owner and mode. `/` and `..` do change them.
  if (inner === "/" && cleanPath(`here/${header.path}`) === "/here" && !header.path.startsWith("/")) return;
  if (inner === "/" && header.kind !== "directory") throw noDirectory(header);
  const path = inner === "/" ? destination : placeOf(changes, destination, inner, step, seen.budget);
  const there = changes.root.lstat(path);
  if (there?.kind === "directory" && header.kind !== "directory") changes.remove(path);
  if (header.kind === "hardlink") return linkTo(changes, destination, path, header, step, seen);
  if (there !== undefined && there.kind !== "directory") changes.remove(path);
  const node: SourceNode = {
    kind: header.kind,
    mode: header.mode,
    uid: step.owner?.uid ?? header.uid,
    gid: step.owner?.gid ?? header.gid,
    mtime: header.mtime,
    size: header.size,
    ...(header.linkTarget === undefined ? {} : { linkTarget: header.linkTarget }),
    ...(header.deviceMajor === undefined ? {} : { deviceMajor: header.deviceMajor }),
    ...(header.deviceMinor === undefined ? {} : { deviceMinor: header.deviceMinor }),
    ...(header.xattrs === undefined ? {} : { xattrs: header.xattrs }),
  };
  if (header.kind !== "file") return changes.put(path, node);
  changes.put(path, node, step.content.open(inner, header.size, seen.earlierOf(inner)));
}

function noDirectory({ path, kind }: TarHeader): CopyError {
  return new CopyError(
    "COPY_CONFLICT",
    `${path} of the archive is a ${kind}, and stands for the directory into which it is unpacked.`,
    { hint: "Leave it out of the archive." },
  );
}

/** Where a member goes: links on the way lead inside the destination, as in a chroot, and missing parents are made. */
function placeOf(
  changes: ChangeSet,
  destination: string,
  inner: string,
  step: ArchiveStep,
  budget: LinkBudget,
): string {
  const parent = parentPath(inner);
  const tree = budget.along(subTree(changes.root, destination), parent);
  const { path, node, obstacle } = resolveInside(tree, parent, { missing: "stop" });
  if (node === undefined) refuseDangling(tree, parent, inner);
  const place = below(destination, path);
  if (obstacle !== undefined && node === undefined) throw inTheWay(changes, below(destination, obstacle));
  // Nobody's: `--chown` is for what the archive lists.
  makeDirectories(changes, place, { uid: 0, gid: 0, mode: 0o755, mtime: step.now });
  return joinPath(place, baseName(inner));
}

function below(destination: string, inner: string): string {
  return inner === "/" ? destination : joinPath(destination, inner.slice(1));
}

/** A directory is not made where a link leads. */
function refuseDangling(tree: Pick<SourceTree, "lstat">, missing: string, inner: string): void {
  const at = firstMissing(tree, missing);
  const { node } = resolveInside(tree, at, { last: "keep", missing: "stop" });
  if (node?.kind !== "symlink") return;
  throw new CopyError(
    "COPY_CONFLICT",
    `open ${inner}: no such file or directory: the archive goes through ${at}, a link to ${node.linkTarget ?? ""}.`,
    { hint: "Links lead inside the directory into which the archive is unpacked: unpack it at /." },
  );
}

/** The uppermost directory of a path that is not there; below it nothing is, so that it can be found by halves. */
function firstMissing(tree: Pick<SourceTree, "lstat">, path: string): string {
  const names = path.slice(1).split("/");
  const above = (count: number): string => `/${names.slice(0, count).join("/")}`;
  let found = 0;
  let missing = names.length;
  while (missing - found > 1) {
    const middle = (found + missing) >>> 1;
    if (resolveInside(tree, above(middle), { missing: "stop" }).node === undefined) missing = middle;
    else found = middle;
  }
  return above(missing);
}

function inTheWay(changes: ChangeSet, path: string): CopyError {
  const node = changes.root.lstat(path);
  return node === undefined
    ? new CopyError("COPY_CONFLICT", `mkdir ${path}: not a directory`)
    : notDirectory(path, node);
}

/** A hard link's own header decides owner, mode and time of the file, as extraction does. */
function linkTo(
  changes: ChangeSet,
  destination: string,
  path: string,
  header: TarHeader,
  step: ArchiveStep,
  { links, budget }: Seen,
): void {
  const target = placeOf(changes, destination, cleanPath(header.linkTarget ?? ""), step, budget);
  const node = changes.root.lstat(target);
  // What has the link's own name gives way to it.
  if (node === undefined || node.kind === "directory" || target === path) {
    throw new CopyError(
      "COPY_CONFLICT",
      `${header.path} is a hard link to ${header.linkTarget ?? ""}, which is not in the archive.`,
      {
        hint: "Make the archive of all names of the file.",
      },
    );
  }
  // A name that another file had before is another group.
  const group = node.linkGroup ?? `${changes.step}:archive:${changes.beginTree()}`;
  const shared: SourceNode = {
    ...node,
    uid: step.owner?.uid ?? header.uid,
    gid: step.owner?.gid ?? header.gid,
    // A link to a symlink leaves its mode and time.
    ...(node.kind === "symlink" ? {} : { mode: header.mode, mtime: header.mtime }),
    linkGroup: group,
  };
  const content = node.kind === "file" ? changes.root.open(target) : undefined;
  if (node.linkGroup === undefined) changes.put(target, shared, content);
  changes.put(path, shared, content);
  const names = links.get(group)?.names ?? new Set([target]);
  links.set(group, { node: shared, content, names: names.add(path) });
}

/** Gives all names of a file what its last link said: once, since a file may have as many names as the archive has members. */
function settleLinks(changes: ChangeSet, links: LinkedFiles): void {
  for (const [group, { node, content, names }] of links) {
    for (const name of names) {
      if (changes.root.lstat(name)?.linkGroup === group) changes.put(name, node, content);
    }
  }
}
