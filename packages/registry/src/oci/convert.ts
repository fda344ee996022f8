import { FormatError } from "../errors.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { encodeJson } from "./json.ts";
import { children, type Index, type Manifest, type ManifestDocument } from "./manifest.ts";
import { isForeignLayerType, MediaType } from "./media-type.ts";
import { subjectOf } from "./referrer.ts";

/** The two families of media types that say the same. */
export type DocumentTypes = "oci" | "docker";

const dockerTypes: ReadonlyMap<string, string> = new Map([
  [MediaType.ociManifest, MediaType.dockerManifest],
  [MediaType.ociIndex, MediaType.dockerManifestList],
  [MediaType.ociConfig, MediaType.dockerConfig],
  [MediaType.ociLayer, MediaType.dockerLayer],
  [MediaType.ociLayerGzip, MediaType.dockerLayerGzip],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", MediaType.dockerForeignLayerGzip],
]);
const ociTypes: ReadonlyMap<string, string> = new Map([
  ...[...dockerTypes].map(([oci, docker]) => [docker, oci] as const),
  // Written by BuildKit, and read by containerd alone: a way out of it, and none into it.
  ["application/vnd.docker.image.rootfs.diff.tar.zstd", MediaType.ociLayerZstd],
]);

/**
 * A manifest or an index with the media types of the other family: a new document, with a digest of its own. Configurations
 * and layers keep their bytes and digests. Docker's form has no annotations; they are left out.
 *
 * @param converted - for an index: its manifests, which have new digests too, by their old ones
 * @throws {FormatError} `MANIFEST_INVALID` for what the other family cannot say: an artifact, a `subject`, a zstd layer
 */
export function convertManifest(
  document: ManifestDocument,
  to: DocumentTypes,
  converted: ReadonlyMap<Digest, Descriptor> = new Map(),
): Uint8Array {
  const mediaType = convertedType(document.mediaType, to);
  if (to === "docker") refuseArtifact(document);
  if (document.kind === "index") {
    const manifests = document.index.manifests.map((child) => ({
      ...convertedDescriptor(child, to),
      ...pick(converted.get(child.digest) ?? convertedDescriptor(child, to)),
    }));
    return encodeJson({ ...convertedFields(document.index, to), mediaType, manifests });
  }
  const { config, layers } = document.manifest;
  return encodeJson({
    ...convertedFields(document.manifest, to),
    mediaType,
    config: convertedDescriptor(config, to),
    layers: layers.map((layer) => convertedDescriptor(layer, to)),
  });
}

/** Whether a document and what it points to are of the family already. */
export function hasTypes(document: ManifestDocument, types: DocumentTypes): boolean {
  const others = types === "oci" ? ociTypes : dockerTypes;
  return ![document, ...children(document)].some(({ mediaType }) => others.has(mediaType));
}

function pick({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

/** Keeps the order of the keys, and for OCI those that are not known here. */
function convertedFields(document: Manifest | Index, to: DocumentTypes): object {
  return { schemaVersion: 2, mediaType: "", ...(to === "docker" ? {} : document) };
}

function convertedDescriptor(descriptor: Descriptor, to: DocumentTypes): Descriptor {
  const mediaType = convertedType(descriptor.mediaType, to);
  if (to === "oci") return { ...descriptor, mediaType };
  const { digest, size, urls, platform } = descriptor;
  return {
    mediaType,
    digest,
    size,
    ...(urls === undefined ? {} : { urls }),
    ...(platform === undefined ? {} : { platform }),
  };
}

function convertedType(mediaType: string, to: DocumentTypes): string {
  const found = (to === "oci" ? ociTypes : dockerTypes).get(mediaType);
  if (found !== undefined) return found;
  if (to === "oci" || ociTypes.has(mediaType)) return mediaType;
  const what = isForeignLayerType(mediaType) ? "layer that must not be distributed" : "content";
  throw new FormatError("MANIFEST_INVALID", `Docker has no media type for a ${what} of ${mediaType}.`, {
    hint: "Keep the image's OCI types.",
  });
}

function refuseArtifact(document: ManifestDocument): void {
  const { artifactType } = document.kind === "index" ? document.index : document.manifest;
  if (artifactType === undefined && subjectOf(document) === undefined) return;
  throw new FormatError("MANIFEST_INVALID", "Docker's types have no artifacts and nothing like a subject.", {
    hint: "Keep its OCI types.",
  });
}
