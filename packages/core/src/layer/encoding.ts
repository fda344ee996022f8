import { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { MediaType } from "@undocked/registry";
import type { BlockPool } from "./blocks.ts";
import { GZIP_LEVEL, gzipBlocks } from "./gzip.ts";
import { LayerError } from "./layer-error.ts";

/** How new layers are compressed: by name, or with a level: 1 to 9 for gzip, 1 to 19 for zstd. */
export type LayerCompression =
  | "gzip"
  | "zstd"
  | "none"
  | { readonly type: "gzip" | "zstd"; readonly level: number };

type Blocks = AsyncIterable<Uint8Array>;

/** Told of each block that is not needed any more, and how many bytes have come out since the last one. */
type Release = (block: Uint8Array, encoded: number) => Promise<void>;

/** What becomes of a layer's tar. */
export interface LayerEncoding {
  /** The same for what gives the same bytes. */
  readonly name: string;
  readonly mediaType: string;
  /**
   * Takes blocks of the format's size; absent where they stay as they are.
   *
   * @param memory - for what comes out, of `STORED_SIZE`
   */
  readonly encode?: (blocks: Blocks, release: Release, memory: BlockPool) => AsyncIterable<Uint8Array>;
}

/**
 * Byte format 1 of each compression (docs/byte-format.md).
 *
 * @throws {LayerError} `COMPRESSION_UNSUPPORTED` for zstd where Node has none
 */
export function layerEncoding(compression: LayerCompression = "gzip"): LayerEncoding {
  const { type, level } =
    typeof compression === "string"
      ? { type: compression, level: compression === "zstd" ? ZSTD_LEVEL : GZIP_LEVEL }
      : compression;
  switch (type) {
    case "none":
      return { name: "1 none", mediaType: MediaType.ociLayer };
    case "gzip":
      return {
        name: `1 gzip ${level}`,
        mediaType: MediaType.ociLayerGzip,
        encode: (blocks, release, memory) => gzipBlocks(blocks, { level, release, memory }),
      };
    case "zstd": {
      const create = zstdMaker();
      return {
        // Its bytes are those of the library that Node brings.
        name: `1 zstd ${level} ${process.versions["zstd"] ?? ""}`,
        mediaType: MediaType.ociLayerZstd,
        encode: (blocks, release) => throughZstd(create(level), blocks, release),
      };
    }
  }
}

/** zstd's own default. */
const ZSTD_LEVEL = 3;

/** ZSTD_c_compressionLevel of zstd.h */
const LEVEL_PARAMETER = 100;

/** Not in the types of Node 20, nor in Node 20. */
function zstdMaker(): (level: number) => Transform {
  const create: unknown = Reflect.get(zlib, "createZstdCompress");
  if (typeof create !== "function") {
    throw new LayerError("COMPRESSION_UNSUPPORTED", `Node ${process.versions.node} does not write zstd.`, {
      hint: "Use Node 22.15 or newer, or gzip.",
    });
  }
  return (level) => {
    const encoder: unknown = create({ params: { [LEVEL_PARAMETER]: level } });
    if (encoder instanceof Transform) return encoder;
    throw new TypeError("createZstdCompress() gives a transform stream");
  };
}

/** One frame of a stream: a frame made in one go has another header. */
async function* throughZstd(
  encoder: Transform,
  blocks: Blocks,
  release: Release,
): AsyncGenerator<Uint8Array, void, void> {
  const output: Uint8Array[] = [];
  encoder.on("data", (chunk: Uint8Array) => output.push(chunk));
  try {
    for await (const block of blocks) {
      await new Promise<void>((resolve, reject) => {
        encoder.write(block, (error) => (error ? reject(error) : resolve()));
      });
      await release(
        block,
        output.reduce((sum, { byteLength }) => sum + byteLength, 0),
      );
      yield* output.splice(0);
    }
    await new Promise<void>((resolve, reject) => {
      encoder.once("error", reject).once("end", resolve).end();
    });
    yield* output.splice(0);
  } finally {
    encoder.destroy();
  }
}
