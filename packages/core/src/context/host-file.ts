import { closeSync, constants, fstatSync, openSync, readSync, type BigIntStats } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { ContextError } from "./context-error.ts";
import { FileState, isTold } from "./file-state.ts";
import { joinPath } from "./path.ts";
import type { FileContent, OpenFile, SourceNode } from "./source-tree.ts";

const PIECE = 1024 * 1024;
/** After so many bytes other work of the process gets its turn. */
const SLICE = 4 * PIECE;

/**
 * A file of the machine that must stay a regular file of its size and time. A class, and of few parts, because there may be a
 * hundred thousand: functions or a node of each one's own would take several times the memory.
 *
 * The state is compared on the very file that was read: a path may lead to another one meanwhile, and back. What seems unchanged
 * and is in another state, as a file that got a second name, loses its identity: it is read, and not known again.
 */
export class HostFile implements FileContent {
  readonly #directory: string;
  readonly #name: string;
  readonly #mode: number;
  readonly #state: FileState;
  readonly #trusted: "stat" | "none";
  readonly #hasOtherNames: boolean;
  #hasIdentity: boolean;

  /** @param trusted - whether anything but its size tells that it is as it was found */
  constructor(directory: string, name: string, stats: BigIntStats, trusted: "stat" | "none") {
    this.#directory = directory;
    this.#name = name;
    this.#mode = Number(stats.mode) & 0o7777;
    this.#state = new FileState(stats);
    this.#trusted = trusted;
    this.#hasOtherNames = stats.nlink > 1n;
    this.#hasIdentity = trusted === "stat" && isTold(stats);
  }

  get size(): number {
    return this.#state.size;
  }

  get identity(): string | undefined {
    return this.#hasIdentity ? this.#state.name : undefined;
  }

  get node(): SourceNode {
    const { size, mtime } = this.#state;
    const node = { kind: "file", mode: this.#mode, uid: 0, gid: 0, mtime, size } as const;
    return this.#hasOtherNames ? { ...node, linkGroup: this.#state.file } : node;
  }

  get #path(): string {
    return joinPath(this.#directory, this.#name);
  }

  openFile(): OpenFile {
    const path = this.#path;
    const file = open(path);
    return {
      read: (into, position) => {
        readFully(file, into, position, path);
        // At the end, so that all of it is of one state.
        if (position + into.byteLength === this.size) this.#check(file, path);
      },
      close: () => closeSync(file),
    };
  }

  readAt(position: number, length: number): Uint8Array {
    const path = this.#path;
    const file = open(path);
    try {
      const wanted = Math.max(0, Math.min(length, this.size - position));
      const piece = readPiece(file, position, wanted, path);
      // No fault here: who looks at a part of it must not rely on the rest.
      if (this.#hasIdentity) this.#hasIdentity = this.#state.isSame(stateOf(file));
      return piece;
    } finally {
      closeSync(file);
    }
  }

  async *stream(): AsyncGenerator<Uint8Array, void, void> {
    const path = this.#path;
    const file = open(path);
    try {
      // Who has seen enough does not come to the end.
      this.#check(file, path);
      for (let at = 0; at < this.size; at += PIECE) {
        if (at > 0 && at % SLICE === 0) await setImmediate();
        yield readPiece(file, at, Math.min(PIECE, this.size - at), path);
      }
      this.#check(file, path);
    } finally {
      closeSync(file);
    }
  }

  #check(file: number, path: string): void {
    const stats = fstatSync(file, { bigint: true });
    if (!stats.isFile() || stats.size !== BigInt(this.size)) throw changed(path);
    if (this.#trusted === "none") return;
    const state = new FileState(stats);
    if (state.isSame(this.#state)) return;
    if (!state.seemsUnchanged(this.#state)) throw changed(path);
    this.#hasIdentity = false;
  }
}

function stateOf(file: number): FileState {
  return new FileState(fstatSync(file, { bigint: true }));
}

/** Neither through a link nor waiting for a fifo's other end, should somebody have put one there meanwhile. */
const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

function open(path: string): number {
  try {
    return openSync(path, FLAGS);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** What to tell of something that was there, and does not let itself be read. */
export function unreadable(path: string, cause: unknown): ContextError {
  const isDenied =
    cause instanceof Error && "code" in cause && (cause.code === "EACCES" || cause.code === "EPERM");
  return isDenied
    ? new ContextError("FILE_UNREADABLE", `${path} cannot be read: permission denied.`, {
        hint: "Let the user who builds read it, or leave it out with .dockerignore.",
        cause,
      })
    : new ContextError("FILE_CHANGED", `${path} cannot be read.`, { hint: "Build again.", cause });
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
