import { constants, lstatSync, readdirSync, readlinkSync, type BigIntStats } from "node:fs";
import { join, resolve } from "node:path";
import { ContextError } from "./context-error.ts";
import { fileState, isTold } from "./file-state.ts";
import { secondsOf } from "./file-time.ts";
import { HostFile, unreadable } from "./host-file.ts";
import { baseName, compareBytes, joinPath, parentPath, sortByBytes } from "./path.ts";
import type { Glimpse, NodeKind, SourceNode, SourceTree } from "./source-tree.ts";

export interface DirectoryTreeOptions {
  /** What files are told apart by without being read. `none`: by nothing, for those who trust no clock. Default: `stat`. */
  readonly identities?: "stat" | "none";
}

/**
 * A directory of the machine. Links are seen, never followed: nothing outside can be reached through it. Owners are 0:0
 * and extended attributes are not looked at, as in every build context.
 *
 * What a path is, is asked once and kept: one build sees one state. Reads are synchronous, which is several times faster
 * than promises for many small files.
 *
 * @throws {ContextError} `CONTEXT_INVALID` when there is no such directory
 */
export function directoryTree(
  directory: string,
  { identities = "stat" }: DirectoryTreeOptions = {},
): SourceTree {
  const root = resolve(directory);
  const listings = new Map<string, Listing>();
  /** What was asked for before its directory was listed, and what is in none. */
  const alone = new Map<string, Seen | undefined>();
  /** The directory looked into last: paths come in the order of a tree. */
  let recent: { readonly path: string; readonly listing: Listing } | undefined;
  const hostPath = (path: string): string => (root === "/" ? path : root + path);
  const hostDirectory = (path: string): string => (path === "/" ? root : hostPath(path));
  const rootStats = statOf(root);
  if (rootStats === undefined || !rootStats.isDirectory()) {
    // The root itself may be a link: it is the user's own word for a directory.
    if (statOf(`${root}/.`)?.isDirectory() !== true) {
      const what = rootStats === undefined ? "not there" : rootStats.isFile() ? "a file" : "not a directory";
      throw new ContextError("CONTEXT_INVALID", `${root} is ${what}.`, {
        hint: "Name the directory that COPY takes its files from.",
      });
    }
  }

  function look(path: string): Seen | undefined {
    if (path !== "/") {
      const parent = parentPath(path);
      const listing = recent?.path === parent ? recent.listing : listings.get(parent);
      if (listing !== undefined && recent?.listing !== listing) recent = { path: parent, listing };
      const found = listing === undefined ? undefined : seenIn(listing, baseName(path));
      if (found !== undefined) return found;
    }
    return lookAlone(path);
  }

  function lookAlone(path: string): Seen | undefined {
    const known = alone.get(path);
    if (known !== undefined || alone.has(path)) return known;
    // Without this the operating system would follow a link on the way.
    const reachable = path === "/" || look(parentPath(path))?.node.kind === "directory";
    const found = reachable ? lookAnew(path) : undefined;
    alone.set(path, found);
    return found;
  }

  function lookAnew(path: string): Seen | undefined {
    return path === "/"
      ? seenAt(root, ".", identities)
      : seenAt(hostDirectory(parentPath(path)), baseName(path), identities);
  }

  function listed(path: string): Listing {
    const isDirectory = look(path)?.node.kind === "directory";
    const place = hostDirectory(path);
    const names = isDirectory ? namesOf(place) : [];
    const seen = names.map((name) => {
      const found =
        (alone.size === 0 ? undefined : alone.get(joinPath(path, name))) ?? seenAt(place, name, identities);
      if (found !== undefined) return found;
      throw new ContextError(
        "FILE_CHANGED",
        `${join(place, name)} vanished while it was read, or its name is not UTF-8.`,
      );
    });
    return { names, seen, next: 0 };
  }

  return {
    lstat: (path) => look(path)?.node,
    list(path) {
      const listing = listings.get(path) ?? listed(path);
      listings.set(path, listing);
      return listing.names;
    },
    open(path) {
      const found = look(path);
      if (found instanceof HostFile) return found;
      throw new ContextError("FILE_CHANGED", `${hostPath(path)} is not a file.`);
    },
    glance: {
      // What is no directory any more, or leads elsewhere by a link, is seen as such where it lies itself.
      list: (path) => namesIn(hostPath(path)) ?? [],
      look: (path) => glimpseAt(path === "/" ? `${root}/.` : hostPath(path), identities),
    },
  };
}

function namesOf(directory: string): string[] {
  try {
    return sortByBytes(readdirSync(directory));
  } catch (cause) {
    throw unreadable(directory, cause);
  }
}

function namesIn(directory: string): string[] | undefined {
  try {
    return sortByBytes(readdirSync(directory));
  } catch {
    return undefined;
  }
}

/** What was found at a path. */
type Seen = HostFile | { readonly node: SourceNode; readonly identity?: undefined };

/** A directory's names in their order, and what each of them is. There may be many: an entry of a map for each would take more. */
interface Listing {
  readonly names: readonly string[];
  readonly seen: readonly Seen[];
  /** What is likely asked for next. */
  next: number;
}

function seenIn(listing: Listing, name: string): Seen | undefined {
  const { names, seen, next } = listing;
  let at = names[next] === name ? next : next - 1;
  if (names[at] !== name) at = placeOf(name, names);
  if (names[at] !== name) return undefined;
  listing.next = at + 1;
  return seen[at];
}

/** The first place at which a name of a sorted list is not before another. */
function placeOf(name: string, names: readonly string[]): number {
  let from = 0;
  for (let to = names.length; from < to;) {
    const middle = (from + to) >>> 1;
    if (compareBytes(names[middle] ?? "", name) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** @param directory - of the machine */
function seenAt(
  directory: string,
  name: string,
  identities: NonNullable<DirectoryTreeOptions["identities"]>,
): Seen | undefined {
  const path = joinPath(directory, name);
  const stats = statOf(path);
  if (stats === undefined) return undefined;
  return kindOf(stats) === "file"
    ? new HostFile(directory, name, stats, identities)
    : { node: nodeOf(stats, path) };
}

/** As {@link seenAt}, of which nothing can be read. */
function glimpseAt(path: string, identities: DirectoryTreeOptions["identities"]): Glimpse | undefined {
  const stats = statOf(path);
  if (stats === undefined) return undefined;
  const node = nodeOf(stats, path);
  const isKnown = node.kind === "file" && identities === "stat" && isTold(stats);
  return isKnown ? { node, identity: fileState(stats) } : { node };
}

const LSTAT = { throwIfNoEntry: false, bigint: true } as const;

/** What it is called that a path leads to nothing, beside that there is nothing. */
const nowhere: readonly unknown[] = ["ENAMETOOLONG", "ENOTDIR", "ELOOP"];

function statOf(path: string): BigIntStats | undefined {
  if (path.includes("\0")) return undefined;
  try {
    return lstatSync(path, LSTAT);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && nowhere.includes(cause.code)) return undefined;
    throw new ContextError("CONTEXT_INVALID", `${path} cannot be looked at.`, { cause });
  }
}

function nodeOf(stats: BigIntStats, hostPath: string): SourceNode {
  const kind = kindOf(stats);
  // By far the most are such.
  if (kind === "file" && stats.nlink === 1n) {
    const mode = Number(stats.mode) & 0o7777;
    return { kind, mode, uid: 0, gid: 0, mtime: secondsOf(stats.mtimeNs), size: Number(stats.size) };
  }
  const device = kind === "character-device" || kind === "block-device";
  return {
    kind,
    // Other systems' links have modes, which mean nothing.
    mode: kind === "symlink" ? 0o777 : Number(stats.mode & 0o7777n),
    uid: 0,
    gid: 0,
    mtime: secondsOf(stats.mtimeNs),
    size: kind === "file" ? Number(stats.size) : 0,
    ...(kind === "symlink" ? { linkTarget: linkTargetAt(hostPath) } : {}),
    ...(kind === "file" && stats.nlink > 1n ? { linkGroup: `${stats.dev}:${stats.ino}` } : {}),
    ...(device ? { deviceMajor: majorOf(Number(stats.rdev)), deviceMinor: minorOf(Number(stats.rdev)) } : {}),
  };
}

function linkTargetAt(path: string): string {
  try {
    return readlinkSync(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function kindOf(stats: BigIntStats): NodeKind {
  const format = Number(stats.mode) & constants.S_IFMT;
  if (format === constants.S_IFREG) return "file";
  if (format === constants.S_IFDIR) return "directory";
  if (stats.isSymbolicLink()) return "symlink";
  if (stats.isFIFO()) return "fifo";
  if (stats.isSocket()) return "socket";
  return stats.isCharacterDevice() ? "character-device" : "block-device";
}

/** As Linux packs `dev_t`. */
function majorOf(device: number): number {
  return Math.floor(device / 256) & 0xfff;
}

function minorOf(device: number): number {
  return (device & 0xff) | ((Math.floor(device / 0x1000) & 0xfff00) >>> 0);
}
