import { FormatError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import {
  children,
  manifestSizeLimit,
  parseManifestDocument,
  type ManifestDocument,
} from "../oci/manifest.ts";
import { isIndexType, isManifestType } from "../oci/media-type.ts";
import type { BlobSource, CallOptions } from "./store.ts";
import { readAll } from "./verify.ts";

/** Indexes within indexes that are followed. */
export const graphDepthLimit = 8;

/** Whether content is a manifest or an index, which points to other content. */
export function isDocument({ mediaType }: Descriptor): boolean {
  return isIndexType(mediaType) || isManifestType(mediaType);
}

/** A manifest or an index with its bytes, as they came. @throws {FormatError} `MANIFEST_INVALID` */
export async function readDocument(
  source: BlobSource,
  target: Descriptor,
  options: CallOptions = {},
): Promise<{ readonly bytes: Uint8Array; readonly document: ManifestDocument }> {
  if (target.size > manifestSizeLimit) {
    throw new FormatError(
      "MANIFEST_INVALID",
      `The manifest ${target.digest} has ${target.size} bytes; at most ${manifestSizeLimit} are read.`,
    );
  }
  const bytes = await readAll(source.fetch(target, options));
  return { bytes, document: parseManifestDocument(bytes, target.mediaType) };
}

export function tooDeep(root: Descriptor): FormatError {
  return new FormatError(
    "MANIFEST_INVALID",
    `${root.digest} has more than ${graphDepthLimit} indexes within one another.`,
  );
}

/** The roots and all that they point to and the source has, each once. */
export async function reachable(
  roots: readonly Descriptor[],
  source: BlobSource,
  options: CallOptions = {},
): Promise<readonly Descriptor[]> {
  const found = new Map<Digest, Descriptor>();
  const visit = async (target: Descriptor, root: Descriptor, depth: number): Promise<void> => {
    if (depth > graphDepthLimit + 1) throw tooDeep(root);
    if (found.has(target.digest) || !(await source.exists(target, options))) return;
    found.set(target.digest, target);
    if (!isDocument(target)) return;
    const { document } = await readDocument(source, target, options);
    for (const child of children(document)) await visit(child, root, depth + 1);
  };
  for (const root of roots) await visit(root, root, 0);
  return [...found.values()];
}
