import { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { Decompress } from "fzstd";
import { LayerError } from "./layer-error.ts";
import { piecesOf } from "./pieces.ts";
import { throughDecoder, type Decoder } from "./through-decoder.ts";

/** So much of the input at once, as all that comes of it is held. */
const PIECE = 1024;

/**
 * Inflates zstd, all of its frames: with Node's own where it has one (from 22.15), else on fzstd, which is pure JavaScript
 * takes windows of up to 32 MB and does not look at a frame's checksum.
 *
 * @throws {LayerError} `LAYER_INVALID`, after all that came before the fault
 */
export async function* unzstd(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const first = nodeDecoder();
  if (first === undefined) return yield* throughFzstd(chunks);
  const pieces = piecesOf(chunks);
  try {
    let decoder: Decoder | undefined = first;
    for (let rest = await pieces.next(); rest !== undefined; rest = await pieces.next()) {
      pieces.unread(rest);
      // Some of Node's releases end with the first frame.
      yield* throughDecoder(decoder ?? first, pieces, damaged);
      decoder = nodeDecoder();
    }
  } finally {
    first.destroy();
    await pieces.close();
  }
}

/** Not in the types of Node 20, nor in Node 20. */
function nodeDecoder(): Decoder | undefined {
  const create: unknown = Reflect.get(zlib, "createZstdDecompress");
  const decoder: unknown = typeof create === "function" ? create() : undefined;
  return isDecoder(decoder) ? decoder : undefined;
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
