import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { ContextError } from "./context-error.ts";
import { joinPath } from "./path.ts";
import type { FileContent, OpenFile, SourceNode } from "./source-tree.ts";

const PIECE = 1024 * 1024;
/** After so many bytes other work of the process gets its turn. */
const SLICE = 4 * PIECE;

/**
 * A file of the machine that must stay a regular file of its size. A class, because there may be a hundred thousand: functions
 * of each one's own would take several times the memory.
 */
export class HostFile implements FileContent {
  readonly node: SourceNode;
  readonly identity?: string;
  readonly #directory: string;
  readonly #name: string;

  constructor(directory: string, name: string, node: SourceNode, identity: string | undefined) {
    this.#directory = directory;
    this.#name = name;
    this.node = node;
    if (identity !== undefined) this.identity = identity;
  }

  get size(): number {
    return this.node.size;
  }

  get #path(): string {
    return joinPath(this.#directory, this.#name);
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
    const path = this.#path;
    const file = open(path);
    try {
      const wanted = Math.max(0, Math.min(length, this.size - position));
      return readPiece(file, position, wanted, path);
    } finally {
      closeSync(file);
    }
  }

  async *stream(): AsyncGenerator<Uint8Array, void, void> {
    const path = this.#path;
    const file = openFile(path, this.size);
    try {
      for (let at = 0; at < this.size; at += PIECE) {
        if (at > 0 && at % SLICE === 0) await setImmediate();
        yield readPiece(file, at, Math.min(PIECE, this.size - at), path);
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
