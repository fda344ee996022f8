import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type BigIntStats,
} from "node:fs";
import { join, resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import { ContextError } from "./context-error.ts";
import { compareBytes, joinPath, parentPath } from "./path.ts";
import type { FileContent, NodeKind, OpenFile, SourceNode, SourceTree } from "./source-tree.ts";

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
  const seen = new Map<string, Seen | undefined>();
  const names = new Map<string, readonly string[]>();
  const hostPath = (path: string): string => (root === "/" ? path : root + path);
  const rootStats = statOf(root);
  if (rootStats === undefined || !rootStats.isDirectory()) {
    // The root itself may be a link: it is the user's own word for a directory.
    if (statOf(`${root}/.`)?.isDirectory() !== true) {
      throw new ContextError("CONTEXT_INVALID", `${root} is not a directory.`);
    }
  }

  function look(path: string): Seen | undefined {
    const known = seen.get(path);
    if (known !== undefined || seen.has(path)) return known;
    // Without this the operating system would follow a link on the way.
    const reachable = path === "/" || look(parentPath(path))?.node.kind === "directory";
    const found = reachable ? lookAnew(path) : undefined;
    seen.set(path, found);
    return found;
  }

  function lookAnew(path: string): Seen | undefined {
    const place = path === "/" ? `${root}/.` : hostPath(path);
    const stats = statOf(place);
    return stats === undefined ? undefined : seenOf(stats, place, identities);
  }

  const lstat = (path: string): SourceNode | undefined => look(path)?.node;

  return {
    lstat,
    list(path) {
      const listed = names.get(path);
      if (listed !== undefined) return listed;
      const found = lstat(path)?.kind === "directory" ? readdirSync(hostPath(path)).sort(compareBytes) : [];
      for (const name of found) {
        if (lstat(joinPath(path, name)) !== undefined) continue;
        throw new ContextError(
          "FILE_CHANGED",
          `${join(hostPath(path), name)} vanished while it was read, or its name is not UTF-8.`,
        );
      }
      names.set(path, found);
      return found;
    },
    open(path) {
      const found = look(path);
      if (found?.node.kind !== "file")
        throw new ContextError("FILE_CHANGED", `${hostPath(path)} is not a file.`);
      return (found.content ??= new HostFile(hostPath(path), found.node.size, found.identity));
    },
    glance: {
      // What is no directory any more, or leads elsewhere by a link, is seen as such where it lies itself.
      list: (path) => namesIn(hostPath(path)) ?? [],
      look: lookAnew,
    },
  };
}

function namesIn(directory: string): string[] | undefined {
  try {
    return readdirSync(directory).sort(compareBytes);
  } catch {
    return undefined;
  }
}

/** What was found at a path. */
interface Seen {
  readonly node: SourceNode;
  readonly identity: string | undefined;
  content?: FileContent;
}

function seenOf(stats: BigIntStats, hostPath: string, identities: DirectoryTreeOptions["identities"]): Seen {
  const node = nodeOf(stats, hostPath);
  return {
    node,
    identity: node.kind === "file" && identities === "stat" ? identityOf(stats) : undefined,
  };
}

function statOf(path: string): BigIntStats | undefined {
  if (path.includes("\0")) return undefined;
  try {
    return lstatSync(path, { throwIfNoEntry: false, bigint: true });
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENAMETOOLONG") return undefined;
    throw new ContextError("CONTEXT_INVALID", `${path} cannot be looked at.`, { cause });
  }
}

function nodeOf(stats: BigIntStats, hostPath: string): SourceNode {
  const kind = kindOf(stats);
  // By far the most are such.
  if (kind === "file" && stats.nlink === 1n) {
    const mode = Number(stats.mode) & 0o7777;
    return { kind, mode, uid: 0, gid: 0, mtime: secondsOf(stats), size: Number(stats.size) };
  }
  const device = kind === "character-device" || kind === "block-device";
  return {
    kind,
    mode: Number(stats.mode & 0o7777n),
    uid: 0,
    gid: 0,
    mtime: secondsOf(stats),
    size: kind === "file" ? Number(stats.size) : 0,
    ...(kind === "symlink" ? { linkTarget: readlinkSync(hostPath) } : {}),
    ...(kind === "file" && stats.nlink > 1n ? { linkGroup: `${stats.dev}:${stats.ino}` } : {}),
    ...(device ? { deviceMajor: majorOf(Number(stats.rdev)), deviceMinor: minorOf(Number(stats.rdev)) } : {}),
  };
}

/** Longer than the tick of any file system's clock: FAT's is 2 seconds. */
const TICK_MS = 2000;

/** Of a file that was changed just now there is none: it could change again within the tick and look the same. */
function identityOf(stats: BigIntStats): string | undefined {
  const { dev, ino, size, mtimeNs, ctimeNs, mtimeMs, ctimeMs } = stats;
  const isSettled = Math.max(Number(mtimeMs), Number(ctimeMs)) + TICK_MS < Date.now();
  return isSettled ? `stat:${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}` : undefined;
}

/** Rounded down, before 1970 too. */
function secondsOf({ mtimeMs, mtimeNs: nanoseconds }: BigIntStats): number {
  if (nanoseconds >= 0n) return Math.floor(Number(mtimeMs) / 1000);
  const second = 1_000_000_000n;
  return Number((nanoseconds - (((nanoseconds % second) + second) % second)) / second);
}

function kindOf(stats: BigIntStats): NodeKind {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
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

const PIECE = 1024 * 1024;
/** After so many bytes other work of the process gets its turn. */
const SLICE = 4 * PIECE;

/**
 * A file of the machine that must stay a regular file of `size` bytes. A class, because there may be a hundred thousand: functions
 * of each one's own would take several times the memory.
 */
class HostFile implements FileContent {
  readonly size: number;
  readonly identity?: string;
  readonly #path: string;

  constructor(path: string, size: number, identity: string | undefined) {
    this.#path = path;
    this.size = size;
    if (identity !== undefined) this.identity = identity;
  }

  openFile(): OpenFile {
    const path = this.#path;
    const file = openFile(path, this.size);
    return {
      read: (into, position) => readFully(file, into, position, path),
      close: () => closeSync(file),
    };
  }

  readAt(position: number, length: number): Uint8Array {
    // What the file has become is not asked: who looks at a part of it must not rely on the rest.
    const file = open(this.#path);
    try {
      const wanted = Math.max(0, Math.min(length, this.size - position));
      return readPiece(file, position, wanted, this.#path);
    } finally {
      closeSync(file);
    }
  }

  async *stream(): AsyncGenerator<Uint8Array, void, void> {
    const file = openFile(this.#path, this.size);
    try {
      for (let at = 0; at < this.size; at += PIECE) {
        if (at > 0 && at % SLICE === 0) await setImmediate();
        yield readPiece(file, at, Math.min(PIECE, this.size - at), this.#path);
      }
    } finally {
      closeSync(file);
    }
  }
}

function openFile(path: string, size: number): number {
  const file = open(path);
  const stats = fstatSync(file);
  if (stats.isFile() && stats.size === size) return file;
  closeSync(file);
  throw changed(path);
}

/** Neither through a link nor waiting for a fifo's other end, should somebody have put one there meanwhile. */
const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

function open(path: string): number {
  try {
    return openSync(path, FLAGS);
  } catch (cause) {
    const denied =
      cause instanceof Error && "code" in cause && (cause.code === "EACCES" || cause.code === "EPERM");
    throw denied
      ? new ContextError("FILE_UNREADABLE", `${path} cannot be read: permission denied.`, {
          hint: "Let the user who builds read it, or leave it out with .dockerignore.",
          cause,
        })
      : new ContextError("FILE_CHANGED", `${path} cannot be read.`, { hint: "Build again.", cause });
  }
}

function readPiece(file: number, position: number, length: number, path: string): Uint8Array {
  const bytes = Buffer.allocUnsafe(length);
  readFully(file, bytes, position, path);
  return bytes;
}

function readFully(file: number, into: Uint8Array, position: number, path: string): void {
  for (let at = 0; at < into.byteLength;) {
    const read = readSome(file, into.subarray(at), position + at, path);
    if (read === 0) throw changed(path);
    at += read;
  }
}

function readSome(file: number, into: Uint8Array, position: number, path: string): number {
  try {
    return readSync(file, into, 0, into.byteLength, position);
  } catch (cause) {
    throw changed(path, cause);
  }
}

function changed(path: string, cause?: unknown): ContextError {
  return new ContextError("FILE_CHANGED", `${path} changed while it was read.`, {
    hint: "Build again.",
    ...(cause === undefined ? {} : { cause }),
  });
}
