import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { scratchDirectory, writeScratch } from "@undocked/registry/files";
import { bytesSource, type FileSource } from "../elf/byte-source.ts";

/** Up to here a file is held in memory. */
const IN_MEMORY = 4 * 1024 * 1024;

/**
 * Random access to bytes that come but once: in memory, or for a large file in a temporary one. Dispose of it.
 *
 * @param size - how many bytes there are at most; what comes beyond is left
 */
export async function spooledSource(chunks: AsyncIterable<Uint8Array>, size: number): Promise<FileSource> {
  return size <= IN_MEMORY ? inMemory(chunks, size) : onDisk(chunks, size);
}

async function inMemory(chunks: AsyncIterable<Uint8Array>, size: number): Promise<FileSource> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for await (const chunk of chunks) {
    const taken = chunk.subarray(0, size - at);
    bytes.set(taken, at);
    at += taken.byteLength;
  }
  return { ...bytesSource(bytes.subarray(0, at)), [Symbol.asyncDispose]: async () => {} };
}

async function onDisk(chunks: AsyncIterable<Uint8Array>, size: number): Promise<FileSource> {
  const directory = await scratchDirectory();
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
  try {
    const file = await open(join(directory, "file"), "wx+", 0o600);
    const close = async (): Promise<void> => {
      await file.close();
      await remove();
    };
    try {
      let at = 0;
      for await (const chunk of chunks) {
        const taken = chunk.subarray(0, size - at);
        await writeScratch(file, taken, at);
        at += taken.byteLength;
      }
      return {
        size: at,
        async read(position, length) {
          const bytes = new Uint8Array(length);
          const { bytesRead } = await file.read(bytes, 0, length, position);
          return bytes.subarray(0, bytesRead);
        },
        [Symbol.asyncDispose]: close,
      };
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    await remove();
    throw error;
  }
}
