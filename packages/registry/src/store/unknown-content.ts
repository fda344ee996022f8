import { ContentError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { isIndexType, isManifestType } from "../oci/media-type.ts";

/** What every store throws for content that it does not have. */
export function unknownContent(target: Descriptor): ContentError {
  const manifest = isIndexType(target.mediaType) || isManifestType(target.mediaType);
  return new ContentError(
    manifest ? "MANIFEST_UNKNOWN" : "BLOB_UNKNOWN",
    `${target.digest} is not in this store.`,
  );
}

/** Whether it says that a store does not have the content, rather than that it is damaged. */
export function isUnknownContent(error: unknown): boolean {
  return (
    error instanceof ContentError && (error.code === "MANIFEST_UNKNOWN" || error.code === "BLOB_UNKNOWN")
  );
}
