import { FormatError } from "../errors.ts";
import { convertManifest, hasTypes, type DocumentTypes } from "../oci/convert.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { digestOf, type Digest } from "../oci/digest.ts";
import { parseManifestDocument } from "../oci/manifest.ts";
import { graphDepthLimit, isDocument, readDocument, tooDeep } from "./graph.ts";
import { memoryStore } from "./memory.ts";
import type { BlobSource, CallOptions } from "./store.ts";
import { contentOf } from "./verify.ts";

/** An image and where all of it can be read. */
export interface ConvertedImage {
  readonly root: Descriptor;
  /** The new documents, and for everything else the image's own source. */
  readonly source: BlobSource;
}

/** Bytes of new documents that are kept at most. */
const DOCUMENTS_LIMIT = 64 * 1024 * 1024;

/**
 * An image with the media types of OCI or of Docker's schema 2. Only its manifests are read; they get new digests where
 * they are of the other family, and layers and configurations stay what they are.
 *
 * @throws {FormatError} `MANIFEST_INVALID` for what the other family cannot say
 */
export async function convertImage(
  root: Descriptor,
  from: BlobSource,
  to: DocumentTypes,
  options: CallOptions = {},
): Promise<ConvertedImage> {
  const made = memoryStore();
  let kept = 0;
  const convert = async (target: Descriptor, depth: number): Promise<Descriptor> => {
    if (depth > graphDepthLimit + 1) throw tooDeep(root);
    const { document } = await readDocument(from, target, options);
    const converted = new Map<Digest, Descriptor>();
    if (document.kind === "index") {
      for (const child of document.index.manifests.filter(isDocument))
        converted.set(child.digest, await convert(child, depth + 1));
    }
    const isSame = [...converted].every(([digest, { digest: now }]) => now === digest);
    if (isSame && hasTypes(document, to)) return target;
    const bytes = convertManifest(document, to, converted);
    kept += bytes.byteLength;
    if (kept > DOCUMENTS_LIMIT) {
      throw new FormatError(
        "MANIFEST_INVALID",
        `The manifests of ${root.digest} have more than ${DOCUMENTS_LIMIT} bytes; no more are converted.`,
      );
    }
    const { mediaType } = parseManifestDocument(bytes);
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
    await made.push(descriptor, contentOf(bytes));
    return { ...target, ...descriptor };
  };
  return { root: await convert(root, 0), source: overlaid(made, from) };
}

/** What was not made here is fetched without asking first whether it is there. */
function overlaid(made: BlobSource, from: BlobSource): BlobSource {
  const sourceOf = async (target: Descriptor): Promise<BlobSource> =>
    (await made.exists(target)) ? made : from;
  return {
    async *fetch(target, options) {
      yield* (await sourceOf(target)).fetch(target, options);
    },
    async exists(target, options) {
      return await (await sourceOf(target)).exists(target, options);
    },
  };
}
