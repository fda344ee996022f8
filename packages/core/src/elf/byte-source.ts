import { open, stat } from "node:fs/promises";
import { ContextError } from "../context/context-error.ts";
import type { FileContent } from "../context/source-tree.ts";

/** Bytes with random access. An executable's parts lie all over it, so a stream or its beginning would not do. */
export interface ByteSource {
  /** Bytes. */
  readonly size: number;
  /** Up to `length` bytes from `position`; fewer only at the end. Never asked for what is outside. */
  read(position: number, length: number): Uint8Array | Promise<Uint8Array>;
}

/** A source that holds an open file until it is disposed of. */
export interface FileSource extends ByteSource, AsyncDisposable {}

/** Bytes that are in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.byteLength,
    read: (position, length) => bytes.subarray(position, position + length),
  };
}

/**
 * The file at a path, read in pieces; dispose of it. Throws Node's own error if it cannot be opened.
 *
 * @throws {ContextError} `FILE_KIND_UNSUPPORTED` for a directory, and for a FIFO, which would not open before somebody writes
 */
export async function fileSource(path: string): Promise<FileSource> {
  if (!(await stat(path)).isFile()) {
    throw new ContextError("FILE_KIND_UNSUPPORTED", `${path} is no regular file.`);
  }
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    return {
      size,
      async read(position, length) {
        const bytes = new Uint8Array(length);
        const { bytesRead } = await file.read(bytes, 0, length, position);
        return bytes.subarray(0, bytesRead);
      },
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** A tree's file; `undefined` where it has no random access, because it lies in a compressed layer. */
export function contentSource(content: FileContent): ByteSource | undefined {
  if (content.readAt === undefined) return undefined;
  return {
    size: content.size,
    read: (position, length) => content.readAt?.(position, length) ?? new Uint8Array(),
  };
}
