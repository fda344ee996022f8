import type { FileHandle } from "node:fs/promises";

/** Bytes that are read from a file at once. */
const READ_SIZE = 256 * 1024;

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
