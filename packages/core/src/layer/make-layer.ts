import { MediaType, tally, type Descriptor, type Digest, type LocalStore } from "@undocked/registry";
import { BLOCK_SIZE, gzipBlocks } from "./gzip.ts";
import { inBlocks } from "./blocks.ts";
import type { Entry } from "./entry.ts";
import { layerTar, type LayerTarOptions } from "./layer-tar.ts";

export interface MakeLayerOptions extends LayerTarOptions {
  /** Default `"gzip"`. */
  readonly compression?: "gzip" | "none";
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
  { compression = "gzip", signal, ...tar }: MakeLayerOptions = {},
): Promise<Layer> {
  const uncompressed = tally();
  const blocks = uncompressed.through(abortable(inBlocks(layerTar(entries, tar), BLOCK_SIZE), signal));
  const descriptor = await store.ingest(
    compression === "gzip" ? MediaType.ociLayerGzip : MediaType.ociLayer,
    compression === "gzip" ? gzipBlocks(blocks) : blocks,
    signal === undefined ? {} : { signal },
  );
  return { descriptor, diffId: uncompressed.digest() };
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
