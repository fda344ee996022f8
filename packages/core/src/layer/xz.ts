import { ReadableStream } from "node:stream/web";
import xz from "xz-decompress";
import { LayerError } from "./layer-error.ts";

/**
 * Inflates xz, on xz-decompress: the XZ Embedded library as WebAssembly, in streams of the web. It takes dictionaries of up to
 * 64 MB, which is what `xz -9` has, checks CRC32 and CRC64, and reads streams that follow one another; anything else behind one is an error.
 *
 * @throws {LayerError} `LAYER_INVALID`
 */
export async function* unxz(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const source = chunks[Symbol.asyncIterator]();
  let failure: { readonly error: unknown } | undefined;
  const compressed = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await source.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        failure = { error };
        throw error;
      }
    },
  });
  const reader = new xz.XzReadableStream(compressed).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return await refuseMore(source);
      // It is a view of the decoder's memory, which the next read writes over.
      yield value.slice();
    }
  } catch (cause) {
    if (failure !== undefined) throw failure.error;
    if (cause instanceof LayerError) throw cause;
    throw new LayerError(
      "LAYER_INVALID",
      "The xz content is damaged, cut off, or of a kind that is not read.",
      {
        cause,
        hint: "Compress it with xz at its usual settings, or with gzip.",
      },
    );
  } finally {
    await reader.cancel().catch(() => {});
    await source.return?.();
  }
}

/** Reads what follows to its end, where a check may be; only zeros may follow. */
async function refuseMore(source: AsyncIterator<Uint8Array>): Promise<void> {
  for (;;) {
    const { done, value } = await source.next();
    if (done === true) return;
    if (value.some((byte) => byte !== 0))
      throw new LayerError("LAYER_INVALID", "Something follows the xz content.");
  }
}
