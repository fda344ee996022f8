import { Decompress } from "fzstd";
import { LayerError } from "./layer-error.ts";

/** So much of the input at once, as all that comes of it is held. */
const PIECE = 1024;

/**
 * Inflates zstd where Node does not (before 22.15), on fzstd: it is pure JavaScript, takes windows of up to 32 MB and does not
 * look at a frame's checksum.
 *
 * @throws {LayerError} `LAYER_INVALID`
 */
export async function* unzstd(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const output: Uint8Array[] = [];
  // Its chunks are its own memory, which it may write over.
  const decoder = new Decompress((chunk) => output.push(chunk.slice()));
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength; at += PIECE) {
      decode(decoder, chunk.subarray(at, at + PIECE), false);
      yield* output.splice(0);
    }
  }
  decode(decoder, new Uint8Array(0), true);
  yield* output.splice(0);
}

function decode(decoder: Decompress, piece: Uint8Array, last: boolean): void {
  try {
    decoder.push(piece, last);
  } catch (cause) {
    throw new LayerError(
      "LAYER_INVALID",
      "The zstd content is damaged, cut off, or of a kind that is not read.",
      {
        cause,
      },
    );
  }
}
