import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { FormatError } from "../errors.ts";

/** Bytes that are inflated at most: what a small file can be made to give has no other end. */
const INFLATED_LIMIT = 64 * 1024 ** 3;

/** @throws {FormatError} `TAR_INVALID` for what is not gzip, is cut off or never ends */
export async function* gunzipped(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const gunzip = createGunzip({ chunkSize: 256 * 1024 });
  const chunks: AsyncIterable<Uint8Array> = gunzip;
  // Its error is the iteration's too; what follows the compressed stream's end is not waited for.
  pipeline(Readable.from(content, { objectMode: false }), gunzip).catch(() => {});
  let size = 0;
  try {
    for await (const chunk of chunks) {
      size += chunk.byteLength;
      if (size > INFLATED_LIMIT) {
        throw new FormatError(
          "TAR_INVALID",
          `More than ${INFLATED_LIMIT} bytes come out of the gzip stream.`,
        );
      }
      yield chunk;
    }
  } catch (error) {
    const isDamage = error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
    throw isDamage
      ? new FormatError("TAR_INVALID", "The gzip stream is damaged or cut off.", { cause: error })
      : error;
  } finally {
    gunzip.destroy();
  }
}
