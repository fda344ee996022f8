import { randomUUID } from "node:crypto";
import { mkdir, open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

/** Bytes that are read from a file at once. */
const READ_SIZE = 256 * 1024;

/** A name for a file that is being written: nobody else's, and beside its target. */
export function besideName(path: string): string {
  return `${path}.${randomUUID()}.tmp`;
}

/**
 * Writes a file that appears whole or not at all: beside, synced, renamed.
 *
 * @param write - gets the open file
 * @param target - asked for once the file is written, so that it can be named by its content
 */
export async function writeWhole(
  temporary: string,
  write: (file: FileHandle) => Promise<void>,
  target: () => string,
  durability: "synced" | "scratch" = "synced",
): Promise<void> {
  const file = await open(temporary, "wx");
  try {
    try {
      await write(file);
      if (durability === "synced") await file.sync();
    } finally {
      await file.close();
    }
    await renameInto(temporary, target(), durability);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Gives a file its name, and makes the name as durable as the file. */
export async function renameInto(
  from: string,
  to: string,
  durability: "synced" | "scratch" = "synced",
): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await rename(from, to);
  if (durability === "scratch") return;
  const directory = await open(dirname(to), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

export async function writeChunks(file: FileHandle, content: AsyncIterable<Uint8Array>): Promise<void> {
  const writer = gatheringWriter(file);
  for await (const chunk of content) await writer.write(chunk);
  await writer.flush();
}

/** Writes to a file in large pieces: a write of each network packet takes twice the time. */
export interface GatheringWriter {
  write(chunk: Uint8Array): Promise<void>;
  /** Puts what is held into the file. */
  flush(): Promise<void>;
}

const PIECE_SIZE = 512 * 1024;

export function gatheringWriter(file: FileHandle): GatheringWriter {
  let piece: Buffer | undefined;
  let filled = 0;
  const flush = async (): Promise<void> => {
    if (piece === undefined || filled === 0) return;
    const bytes = piece.subarray(0, filled);
    filled = 0;
    await file.writeFile(bytes);
  };
  return {
    async write(chunk) {
      if (filled + chunk.byteLength > PIECE_SIZE) await flush();
      if (chunk.byteLength > PIECE_SIZE) return file.writeFile(chunk);
      piece ??= Buffer.allocUnsafe(PIECE_SIZE);
      piece.set(chunk, filled);
      filled += chunk.byteLength;
    },
    flush,
  };
}

/** Part of an open file, which stays open. */
export async function* readChunks(
  file: FileHandle,
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, void> {
  let position = start;
  while (position < end) {
    const buffer = Buffer.allocUnsafe(Math.min(READ_SIZE, end - position));
    const { bytesRead } = await file.read(buffer, 0, buffer.byteLength, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** `undefined` for a file or directory that is not there. */
export async function ifPresent<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR")) return undefined;
    throw error;
  }
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
