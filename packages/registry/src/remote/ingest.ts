import type { Descriptor } from "../oci/descriptor.ts";
import { digestOf, tally } from "../oci/digest.ts";
import { manifestSizeLimit } from "../oci/manifest.ts";
import { isIndexType, isManifestType } from "../oci/media-type.ts";
import type { CallOptions } from "../store/store.ts";
import { defaultChunkSize, inChunks, sendChunks } from "./chunked-upload.ts";
import { closeFilled } from "./close-session.ts";
import type { RepositoryContext } from "./context.ts";
import { RegistryError } from "./registry-error.ts";
import { cancelSession, openSession } from "./upload-session.ts";
import type { UploadOptions } from "./upload.ts";

/**
 * Takes content as it comes, and finds what it is. What fits into one piece is sent as content that is known, which works
 * everywhere; what is longer goes in pieces, of which two are in memory at most.
 *
 * @param push - for what is known
 */
export async function ingest(
  context: RepositoryContext,
  mediaType: string,
  content: AsyncIterable<Uint8Array>,
  { chunkSize = defaultChunkSize }: UploadOptions,
  options: CallOptions,
  push: (target: Descriptor, bytes: Uint8Array) => Promise<void>,
): Promise<Descriptor> {
  const isDocument = isManifestType(mediaType) || isIndexType(mediaType);
  const pieces = inChunks(content, isDocument ? manifestSizeLimit : chunkSize);
  try {
    const first = await pieces.next();
    const second = first.done === true ? first : await pieces.next();
    if (second.done === true) {
      const bytes = first.done === true ? new Uint8Array() : first.value;
      const target = { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
      await push(target, bytes);
      return target;
    }
    if (isDocument) {
      throw new RegistryError(
        "MANIFEST_INVALID",
        `The manifest has more than ${manifestSizeLimit} bytes, which registries do not take.`,
      );
    }
    const all = async function* (): AsyncGenerator<Uint8Array, void, void> {
      if (first.done !== true) yield first.value;
      yield second.value;
      yield* pieces;
    };
    return await pushInPieces(context, mediaType, all(), chunkSize, options);
  } finally {
    await pieces.return();
  }
}

/** A piece is sent again after a cut, from memory; the whole is not, because it was read once. */
async function pushInPieces(
  context: RepositoryContext,
  mediaType: string,
  content: AsyncIterable<Uint8Array>,
  chunkSize: number,
  options: CallOptions,
): Promise<Descriptor> {
  const opened = await openSession(context, "sha256", options);
  try {
    const seen = tally();
    const session = await sendChunks(context, opened, seen.through(content), chunkSize, options);
    const found = { mediaType, digest: seen.digest(), size: seen.size() };
    await closeFilled(context, session, found, options);
    return found;
  } catch (error) {
    await cancelSession(context, opened);
    throw error;
  }
}
