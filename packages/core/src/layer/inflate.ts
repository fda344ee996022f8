import type { Compression } from "@undocked/registry";
import { bunzip2 } from "./bzip2.ts";
import { gunzip } from "./gunzip.ts";
import { unxz } from "./xz.ts";
import { unzstd } from "./zstd.ts";

/** How content is compressed, by its first bytes. */
export function compressionOf(start: Uint8Array): Compression | "bzip2" | "xz" {
  const hex = Buffer.from(start.subarray(0, 6)).toString("hex");
  if (hex.startsWith("1f8b")) return "gzip";
  // Frames may follow skippable ones (RFC 8878, 3.1.2).
  if (hex.startsWith("28b52ffd") || /^5.2a4d18/.test(hex)) return "zstd";
  if (hex.startsWith("425a68")) return "bzip2";
  return hex.startsWith("fd377a585a00") ? "xz" : "none";
}

/**
 * A layer's or an archive's tar, whatever it is compressed with: its own bytes tell, as for the runtimes, whatever its
 * media type says. Reads all that it is given, so that a check at its end takes place, and gives all that came before a
 * fault before it. Node's zstd may not tell when content is cut off; the reader of the tar, or the check of the digest, does.
 *
 * @throws {LayerError} `LAYER_INVALID`
 */
export async function* inflated(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const source = chunks[Symbol.asyncIterator]();
  const rest: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => source };
  let start: Uint8Array = new Uint8Array(0);
  try {
    while (start.byteLength < 6) {
      const { done, value } = await source.next();
      if (done === true) break;
      start = start.byteLength === 0 ? value : Buffer.concat([start, value]);
    }
    const whole = startingWith(start, rest);
    switch (compressionOf(start)) {
      case "none":
        return yield* whole;
      case "gzip":
        return yield* gunzip(whole);
      case "zstd":
        return yield* unzstd(whole);
      case "bzip2":
        return yield* bunzip2(whole);
      case "xz":
        return yield* unxz(whole);
    }
  } finally {
    await source.return?.();
  }
}

async function* startingWith(
  start: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  if (start.byteLength > 0) yield start;
  yield* rest;
}
