import { FormatError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { encodeJson } from "../oci/json.ts";
import { parseManifestDocument, type Index } from "../oci/manifest.ts";
import { MediaType } from "../oci/media-type.ts";

/** The annotation that names a root in an index (image-spec, annotations.md). */
export const refNameAnnotation = "org.opencontainers.image.ref.name";

/** What `oci-layout` holds. */
export const layoutVersion: Uint8Array = encodeJson({ imageLayoutVersion: "1.0.0" });

export const emptyIndex: Index = { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [] };

/**
 * A layout's `index.json` (image-spec, image-layout.md).
 *
 * @param place - named in the message
 * @throws {FormatError} `LAYOUT_INVALID`
 */
export function parseLayoutIndex(bytes: Uint8Array, place: string): Index {
  try {
    const document = parseManifestDocument(bytes, MediaType.ociIndex);
    if (document.kind === "index") return document.index;
  } catch (cause) {
    throw new FormatError("LAYOUT_INVALID", `${place} is not an image index.`, { cause });
  }
  throw new FormatError("LAYOUT_INVALID", `${place} is a manifest, not an index.`);
}

/** The root that has a name or a digest. */
export function findRoot(index: Index, reference: string): Descriptor | undefined {
  const found = index.manifests.find(
    ({ annotations, digest }) => digest === reference || annotations?.[refNameAnnotation] === reference,
  );
  return found === undefined ? undefined : withoutName(found);
}

/** The index with one more name, taken from whoever had it. */
export function withRoot(index: Index, target: Descriptor, reference: string): Index {
  const others = index.manifests.filter(({ annotations, digest }) => {
    const name = annotations?.[refNameAnnotation];
    return name !== reference && !(name === undefined && digest === target.digest);
  });
  const { mediaType, digest, size, ...rest } = target;
  const annotations = { ...target.annotations, [refNameAnnotation]: reference };
  return { ...index, manifests: [...others, { mediaType, digest, size, ...rest, annotations }] };
}

/** The index with a root that has no name: it is there for what it refers to. */
export function withReferrer(index: Index, { mediaType, digest, size }: Descriptor): Index {
  if (index.manifests.some((root) => root.digest === digest)) return index;
  return { ...index, manifests: [...index.manifests, { mediaType, digest, size }] };
}

/** As the root is, wherever it is named. */
export function withoutName(descriptor: Descriptor): Descriptor {
  const { annotations, ...rest } = descriptor;
  const { [refNameAnnotation]: name, ...others } = annotations ?? {};
  if (name === undefined) return descriptor;
  return Object.keys(others).length === 0 ? rest : { ...rest, annotations: others };
}
