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
import type { FileContent, NodeKind, SourceNode, SourceTree } from "./source-tree.ts";

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
  const nodes = new Map<string, SourceNode | undefined>();
  const names = new Map<string, readonly string[]>();
  const known = new Map<string, string>();
  const rootStats = statOf(root);
  if (rootStats === undefined || !rootStats.isDirectory()) {
    // The root itself may be a link: it is the user's own word for a directory.
    if (statOf(`${root}/.`)?.isDirectory() !== true) {
      throw new ContextError("CONTEXT_INVALID", `${root} is not a directory.`);
    }
  }

  function lstat(path: string): SourceNode | undefined {
    if (nodes.has(path)) return nodes.get(path);
    // Without this the operating system would follow a link on the way.
    const reachable = path === "/" || lstat(parentPath(path))?.kind === "directory";
    const hostPath = path === "/" ? `${root}/.` : join(root, path);
    const stats = reachable ? statOf(hostPath) : undefined;
    const node = stats === undefined ? undefined : nodeOf(stats, hostPath);
    nodes.set(path, node);
    const identity = node?.kind === "file" && identities === "stat" ? identityOf(stats) : undefined;
    if (identity !== undefined) known.set(path, identity);
    return node;
  }

  return {
    lstat,
    list(path) {
      const listed = names.get(path);
      if (listed !== undefined) return listed;
      const found = lstat(path)?.kind === "directory" ? readdirSync(join(root, path)).sort(compareBytes) : [];
      for (const name of found) {
        if (lstat(joinPath(path, name)) !== undefined) continue;
        throw new ContextError(
          "FILE_CHANGED",
          `${join(root, path, name)} vanished while it was read, or its name is not UTF-8.`,
        );
      }
      names.set(path, found);
      return found;
    },
    open(path) {
      const node = lstat(path);
      if (node?.kind !== "file") throw new ContextError("FILE_CHANGED", `${join(root, path)} is not a file.`);
      const identity = known.get(path);
      return {
        ...fileContent(join(root, path), node.size),
        ...(identity === undefined ? {} : { identity }),
      };
    },
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
  const device = kind === "character-device" || kind === "block-device";
  return {
    kind,
    mode: Number(stats.mode & 0o7777n),
    uid: 0,
    gid: 0,
    mtime: secondsOf(stats.mtimeNs),
    size: kind === "file" ? Number(stats.size) : 0,
    ...(kind === "symlink" ? { linkTarget: readlinkSync(hostPath) } : {}),
    ...(kind === "file" && stats.nlink > 1n ? { linkGroup: `${stats.dev}:${stats.ino}` } : {}),
    ...(device ? { deviceMajor: majorOf(Number(stats.rdev)), deviceMinor: minorOf(Number(stats.rdev)) } : {}),
  };
}

/** Longer than the tick of any file system's clock: FAT's is 2 seconds. */
const TICK_MS = 2000;

/** Of a file that was changed just now there is none: it could change again within the tick and look the same. */
function identityOf(stats: BigIntStats | undefined): string | undefined {
  if (stats === undefined) return undefined;
  const { dev, ino, size, mtimeNs, ctimeNs, mtimeMs, ctimeMs } = stats;
  const isSettled = Math.max(Number(mtimeMs), Number(ctimeMs)) + TICK_MS < Date.now();
  return isSettled ? `stat:${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}` : undefined;
}

/** Rounded down, before 1970 too. */
function secondsOf(nanoseconds: bigint): number {
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

/** A file of the machine that must stay a regular file of `size` bytes. */
function fileContent(path: string, size: number): FileContent {
  return {
    size,
    openFile() {
      const file = openFile(path, size);
      return {
        read: (into, position) => readFully(file, into, position, path),
        close: () => closeSync(file),
      };
    },
    readAt(position, length) {
      // What the file has become is not asked: who looks at a part of it must not rely on the rest.
      const file = open(path);
      try {
        return readPiece(file, position, Math.max(0, Math.min(length, size - position)), path);
      } finally {
        closeSync(file);
      }
    },
    async *stream() {
      const file = openFile(path, size);
      try {
        for (let at = 0; at < size; at += PIECE) {
          if (at > 0 && at % SLICE === 0) await setImmediate();
          yield readPiece(file, at, Math.min(PIECE, size - at), path);
        }
      } finally {
        closeSync(file);
      }
    },
  };
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
