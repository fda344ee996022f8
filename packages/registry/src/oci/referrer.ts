import type { Descriptor } from "./descriptor.ts";
import type { ManifestDocument } from "./manifest.ts";

/** What a manifest or an index refers to: an artifact's image (image-spec, manifest.md, `subject`). */
export function subjectOf(document: ManifestDocument): Descriptor | undefined {
  return document.kind === "index" ? document.index.subject : document.manifest.subject;
}

/** A document as lists of referrers show it (distribution-spec, "Listing Referrers"). */
export function referrerOf(
  document: ManifestDocument,
  { digest, size }: Pick<Descriptor, "digest" | "size">,
): Descriptor {
  const { artifactType, annotations } = document.kind === "index" ? document.index : document.manifest;
  const type =
    artifactType ?? (document.kind === "manifest" ? document.manifest.config.mediaType : undefined);
  return {
    mediaType: document.mediaType,
    digest,
    size,
    ...(type === undefined ? {} : { artifactType: type }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}
