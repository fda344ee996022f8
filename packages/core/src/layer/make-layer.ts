import { tally, type Descriptor, type Digest, type LocalStore } from "@undocked/registry";
import { blockHash } from "./block-hash.ts";
import { blockPool } from "./blocks.ts";
import { layerEncoding, type LayerCompression } from "./encoding.ts";
import type { Entry } from "./entry.ts";
import { BLOCK_SIZE } from "./gzip.ts";
import { layerTar, type LayerTarOptions } from "./layer-tar.ts";

export interface MakeLayerOptions extends LayerTarOptions {
  /** Default: gzip. */
  readonly compression?: LayerCompression;
  readonly signal?: AbortSignal;
}

export interface Layer {
  /** Of the blob in the store. */
  readonly descriptor: Descriptor;
  /** Of the uncompressed tar. */
  readonly diffId: Digest;
}

/** Writes a layer into a store: one pass over the files, a few blocks in memory. */
export async function makeLayer(
  store: LocalStore,
  entries: Iterable<Entry>,
  { compression, signal, ...tar }: MakeLayerOptions = {},
): Promise<Layer> {
  const { mediaType, encode } = layerEncoding(compression);
  const listed = [...entries];
  await using hash = blockHash(sizeOf(listed));
  const pool = blockPool(BLOCK_SIZE, hash.memory);
  const release = (block: Uint8Array): void => {
    // A failure is told by the digest.
    hash.hashed(block).then(
      () => pool.give(block),
      () => {},
    );
  };
  const blocks = hash.through(abortable(layerTar(listed, tar, pool), signal));
  const descriptor = await store.ingest(
    mediaType,
    encode === undefined ? blocks : encode(blocks, release),
    signal === undefined ? {} : { signal },
  );
  return { descriptor, diffId: await hash.digest() };
}

function sizeOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + (entry.kind === "file" ? entry.content.size : 0), 0);
}

/** What the DiffID of a layer would be: reads the files, and writes nothing. */
export async function layerDiffId(
  entries: Iterable<Entry>,
  { signal, ...tar }: Omit<MakeLayerOptions, "compression"> = {},
): Promise<Digest> {
  const uncompressed = tally();
  const pool = blockPool(BLOCK_SIZE);
  for await (const block of abortable(layerTar(entries, tar, pool), signal)) {
    uncompressed.update(block);
    pool.give(block);
  }
  return uncompressed.digest();
}

async function* abortable(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  signal?.throwIfAborted();
  for await (const chunk of chunks) {
    yield chunk;
    signal?.throwIfAborted();
  }
}
