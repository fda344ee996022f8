import { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { Decompress } from "fzstd";
import { LayerError } from "./layer-error.ts";
import { piecesOf } from "./pieces.ts";
import { throughDecoder, type Decoder } from "./through-decoder.ts";

/** So much of the input at once, as all that comes of it is held. */
const PIECE = 1024;

/**
 * Inflates zstd, all of its frames: with Node's own where it has one (from 22.15), else on fzstd, which is pure JavaScript,
 * takes windows of up to 32 MB and does not look at a frame's checksum.
 *
 * @throws {LayerError} `LAYER_INVALID`, after all that came before the fault
 */
export async function* unzstd(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const create: unknown = Reflect.get(zlib, "createZstdDecompress");
  // Not in the types of Node 20, nor in Node 20.
  yield* typeof create === "function" ? throughNode(chunks, () => create()) : throughFzstd(chunks);
}

async function* throughNode(
  chunks: AsyncIterable<Uint8Array>,
  create: () => unknown,
): AsyncGenerator<Uint8Array, void, void> {
  const pieces = piecesOf(chunks);
  try {
    for (let rest = await pieces.next(); rest !== undefined; rest = await pieces.next()) {
      pieces.unread(rest);
      const decoder = create();
      if (!isDecoder(decoder)) throw new TypeError("node:zlib decodes zstd in an unknown way.");
      // Some of Node's releases end with the first frame.
      yield* throughDecoder(decoder, pieces, damaged);
    }
  } finally {
    await pieces.close();
  }
}

function isDecoder(decoder: unknown): decoder is Decoder {
  return decoder instanceof Transform && typeof Reflect.get(decoder, "bytesWritten") === "number";
}

async function* throughFzstd(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const output: Uint8Array[] = [];
  // Its chunks are its own memory, which it may write over.
  const decoder = new Decompress((chunk) => output.push(chunk.slice()));
  function* decoded(piece: Uint8Array, last = false): Generator<Uint8Array, void, void> {
    let failure: Error | undefined;
    try {
      decoder.push(piece, last);
    } catch (cause) {
      failure = damaged(cause);
    }
    yield* output.splice(0);
    if (failure !== undefined) throw failure;
  }
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength; at += PIECE) yield* decoded(chunk.subarray(at, at + PIECE));
  }
  yield* decoded(new Uint8Array(0), true);
}

function damaged(cause: unknown): LayerError {
  return new LayerError(
    "LAYER_INVALID",
    "The zstd content is damaged, cut off, or of a kind that is not read.",
    { cause },
  );
}
