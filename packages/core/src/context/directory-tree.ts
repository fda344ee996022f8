import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type Stats,
} from "node:fs";
import { join, resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import { ContextError } from "./context-error.ts";
import { compareBytes, joinPath, parentPath } from "./path.ts";
import type { FileContent, NodeKind, SourceNode, SourceTree } from "./source-tree.ts";

/**
 * A directory of the machine. Links are seen, never followed: nothing outside can be reached through it. Owners are 0:0
 * and extended attributes are not looked at, as in every build context.
 *
 * What a path is, is asked once and kept: one build sees one state. Reads are synchronous, which is several times faster
 * than promises for many small files.
 *
 * @throws {ContextError} `CONTEXT_INVALID` when there is no such directory
 */
export function directoryTree(directory: string): SourceTree {
  const root = resolve(directory);
  const nodes = new Map<string, SourceNode | undefined>();
  const names = new Map<string, readonly string[]>();
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
    return node;
  }

  return {
    lstat,
    list(path) {
      const known = names.get(path);
      if (known !== undefined) return known;
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
      return fileContent(join(root, path), node.size);
    },
  };
}

function statOf(path: string): Stats | undefined {
  if (path.includes("\0")) return undefined;
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENAMETOOLONG") return undefined;
    throw new ContextError("CONTEXT_INVALID", `${path} cannot be looked at.`, { cause });
  }
}

function nodeOf(stats: Stats, hostPath: string): SourceNode {
  const kind = kindOf(stats);
  const device = kind === "character-device" || kind === "block-device";
  return {
    kind,
    mode: stats.mode & 0o7777,
    uid: 0,
    gid: 0,
    mtime: Math.floor(stats.mtimeMs / 1000),
    size: kind === "file" ? stats.size : 0,
    ...(kind === "symlink" ? { linkTarget: readlinkSync(hostPath) } : {}),
    ...(kind === "file" && stats.nlink > 1 ? { linkGroup: `${stats.dev}:${stats.ino}` } : {}),
    ...(device ? { deviceMajor: majorOf(stats.rdev), deviceMinor: minorOf(stats.rdev) } : {}),
  };
}

function kindOf(stats: Stats): NodeKind {
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
    readAt(position, length) {
      const file = openFile(path, size);
      try {
        return readFully(file, position, Math.max(0, Math.min(length, size - position)), path);
      } finally {
        closeSync(file);
      }
    },
    async *stream() {
      const file = openFile(path, size);
      try {
        for (let at = 0; at < size; at += PIECE) {
          if (at > 0 && at % SLICE === 0) await setImmediate();
          yield readFully(file, at, Math.min(PIECE, size - at), path);
        }
      } finally {
        closeSync(file);
      }
    },
  };
}

function openFile(path: string, size: number): number {
  // Neither through a link nor waiting for a fifo's other end, should somebody have put one there meanwhile.
  const file = open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  const stats = fstatSync(file);
  if (stats.isFile() && stats.size === size) return file;
  closeSync(file);
  throw changed(path);
}

function open(path: string, flags: number): number {
  try {
    return openSync(path, flags);
  } catch (cause) {
    throw new ContextError("FILE_CHANGED", `${path} cannot be read.`, { cause });
  }
}

function readFully(file: number, position: number, length: number, path: string): Uint8Array {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length;) {
    const read = readSync(file, bytes, at, length - at, position + at);
    if (read === 0) throw changed(path);
    at += read;
  }
  return bytes;
}

function changed(path: string): ContextError {
  return new ContextError("FILE_CHANGED", `${path} changed while it was read.`, { hint: "Build again." });
}
