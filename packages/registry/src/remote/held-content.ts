import { randomUUID } from "node:crypto";
import { open, rm, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readChunks, writeChunks } from "../files/chunks.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { digestAlgorithm, tally } from "../oci/digest.ts";
import { contentOf } from "../store/verify.ts";

/** Content that is collected before anybody gets it: a little in memory, more in a file without a name. */
export interface HeldContent extends AsyncDisposable {
  /** Bytes so far. */
  size(): number;
  append(chunk: Uint8Array): Promise<void>;
  /** Whether it is the content that the descriptor means. */
  isWhole(): boolean;
  read(): AsyncGenerator<Uint8Array, void, void>;
  /** Begins again. */
  clear(): Promise<void>;
}

const IN_MEMORY = 1024 * 1024;

export function heldContent(target: Descriptor): HeldContent {
  const algorithm = digestAlgorithm(target.digest);
  let seen = tally(algorithm);
  let chunks: Uint8Array[] = [];
  let inMemory = 0;
  let file: FileHandle | undefined;
  const spill = async (): Promise<void> => {
    const kept = Buffer.concat(chunks);
    chunks = [];
    inMemory = 0;
    file ??= await unnamedFile();
    await writeChunks(file, contentOf(kept));
  };
  const clear = async (): Promise<void> => {
    const old = file;
    file = undefined;
    chunks = [];
    inMemory = 0;
    seen = tally(algorithm);
    await old?.close();
  };
  return {
    size: () => seen.size(),
    async append(chunk) {
      seen.update(chunk);
      chunks.push(chunk);
      inMemory += chunk.byteLength;
      if (inMemory > IN_MEMORY) await spill();
    },
    isWhole: () => seen.size() === target.size && seen.digest() === target.digest,
    async *read() {
      if (file !== undefined) yield* readChunks(file, 0, seen.size() - inMemory);
      yield* chunks;
    },
    clear,
    [Symbol.asyncDispose]: clear,
  };
}

/** A process that is killed leaves none behind. */
async function unnamedFile(): Promise<FileHandle> {
  const path = join(tmpdir(), `undocked-${randomUUID()}.tmp`);
  const file = await open(path, "wx+", 0o600);
  try {
    await rm(path);
  } catch (error) {
    await file.close();
    throw error;
  }
  return file;
}
