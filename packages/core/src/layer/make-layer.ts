import { tally, type CallOptions, type Descriptor, type Digest } from "@undocked/registry";
import { blockHash } from "./block-hash.ts";
import { blockPool } from "./blocks.ts";
import { layerEncoding, type LayerCompression } from "./encoding.ts";
import type { Entry } from "./entry.ts";
import { BLOCK_SIZE, STORED_SIZE } from "./gzip.ts";
import { layerTar, type LayerTarOptions } from "./layer-tar.ts";

export interface MakeLayerOptions extends LayerTarOptions {
  /** Default: gzip. */
  readonly compression?: LayerCompression;
  /** Whether the files can be read another time. Default: no. */
  readonly isRepeatable?: boolean;
  readonly signal?: AbortSignal;
}

/** Takes a layer while it is made. */
export interface LayerSink {
  ingest(
    mediaType: string,
    content: AsyncIterable<Uint8Array>,
    options?: LayerSinkOptions,
  ): Promise<Descriptor>;
}

export interface LayerSinkOptions extends CallOptions {
  /** Bytes of the files in it, before they are compressed. */
  readonly size?: number;
  /** Whether it would cost no more to make the layer again than to keep it, by what has come so far. Default: no. */
  readonly isCheap?: () => boolean;
  /** Takes back a chunk that nobody looks at any more: its memory is used again. */
  readonly reuse?: (chunk: Uint8Array) => void;
}

export interface Layer {
  /** Of the blob in the store. */
  readonly descriptor: Descriptor;
  /** Of the uncompressed tar. */
  readonly diffId: Digest;
}

/** Gives a layer to a sink: one pass over the files, a few blocks in memory. */
export async function makeLayer(
  sink: LayerSink,
  entries: Iterable<Entry>,
  { compression, isRepeatable = false, signal, ...tar }: MakeLayerOptions = {},
): Promise<Layer> {
  const { mediaType, encode } = layerEncoding(compression);
  const listed = [...entries];
  const size = sizeOf(listed);
  const pool = blockPool(BLOCK_SIZE);
  const blocks = abortable(layerTar(listed, tar, pool), signal);
  const outgoing = encode === undefined ? pool : blockPool(STORED_SIZE);
  const gain = compressionGain();
  const options: LayerSinkOptions = {
    ...(signal === undefined ? {} : { signal }),
    size,
    isCheap: () => isRepeatable && size >= LARGE && gain.isSmall(),
    reuse: (chunk) => outgoing.give(chunk),
  };
  if (encode === undefined) {
    const descriptor = await sink.ingest(mediaType, blocks, options);
    return { descriptor, diffId: descriptor.digest };
  }
  await using hash = blockHash(size, (block) => pool.give(block));
  const release = async (block: Uint8Array, length: number): Promise<void> => {
    gain.count(block.byteLength, length);
    await hash.take(block);
  };
  const descriptor = await sink.ingest(mediaType, encode(blocks, release, outgoing), options);
  return { descriptor, diffId: await hash.digest() };
}

/** Less than this is kept: somebody may want it, and it takes no room. */
const LARGE = 64 * 1024 * 1024;

/** What compressing brings: hardly anything where blocks are stored, which is no work. */
function compressionGain(): { count(from: number, to: number): void; isSmall(): boolean } {
  let taken = 0;
  let given = 0;
  return {
    count(from, to) {
      taken += from;
      given += to;
    },
    isSmall: () => given >= 0.9 * taken,
  };
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
