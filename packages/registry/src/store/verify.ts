import { ContentError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { digestAlgorithm, tally } from "../oci/digest.ts";

/**
 * Passes content on and throws before its end if it is not what the descriptor says. Never passes on more than `size` bytes.
 *
 * @throws {ContentError} `SIZE_MISMATCH`, `DIGEST_MISMATCH`
 */
export async function* verified(
  expected: Descriptor,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const seen = tally(digestAlgorithm(expected.digest));
  let held: Uint8Array | undefined;
  for await (const chunk of content) {
    seen.update(chunk);
    if (seen.size() > expected.size) throw wrongSize(expected, `at least ${seen.size()}`);
    // The last chunk goes out only once the whole is known to be right.
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (seen.size() !== expected.size) throw wrongSize(expected, String(seen.size()));
  const digest = seen.digest();
  if (digest !== expected.digest) {
    throw new ContentError(
      "DIGEST_MISMATCH",
      `${expected.digest} was expected, but the content's digest is ${digest}.`,
      {
        hint: "Fetch it again; if it stays so, somebody between here and its publisher changed it.",
      },
    );
  }
  if (held !== undefined) yield held;
}

function wrongSize(expected: Descriptor, actual: string): ContentError {
  return new ContentError(
    "SIZE_MISMATCH",
    `${expected.digest} should be ${expected.size} bytes, not ${actual}.`,
  );
}

/** All of a small content. The descriptor's size must have been checked against a limit by the caller. */
export async function readAll(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}

/** Content of one piece. */
export async function* contentOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  if (bytes.byteLength > 0) yield bytes;
}

/** Ends at the next chunk once the signal is aborted. */
export async function* abortable(
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  signal?.throwIfAborted();
  for await (const chunk of content) {
    signal?.throwIfAborted();
    yield chunk;
  }
}
