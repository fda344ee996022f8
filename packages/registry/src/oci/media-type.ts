/** The media types of the OCI image-spec and of Docker's schema 2. */
export const MediaType = {
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  ociLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  ociLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  ociEmpty: "application/vnd.oci.empty.v1+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerManifestList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  dockerForeignLayerGzip: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
} as const;

/** How a layer's tar is compressed. */
export type Compression = "none" | "gzip" | "zstd";

/** Whether it is the media type of an index, OCI's or Docker's. */
export function isIndexType(mediaType: string): boolean {
  return mediaType === MediaType.ociIndex || mediaType === MediaType.dockerManifestList;
}

/** Whether it is the media type of a manifest of one image, OCI's or Docker's. */
export function isManifestType(mediaType: string): boolean {
  return mediaType === MediaType.ociManifest || mediaType === MediaType.dockerManifest;
}

/** A layer whose bytes lie at a URL of its own and must not be pushed (image-spec, layer.md#non-distributable-layers). */
export function isForeignLayerType(mediaType: string): boolean {
  return mediaType.includes("nondistributable") || mediaType.includes(".foreign.");
}

/** `undefined` for a media type that is not a tar layer. */
export function layerCompression(mediaType: string): Compression | undefined {
  if (mediaType === MediaType.dockerLayer || mediaType === MediaType.ociLayer) return "none";
  if (/\.tar[.+]gzip$/.test(mediaType)) return "gzip";
  if (/\.tar[.+]zstd$/.test(mediaType)) return "zstd";
  return /layer.*\.tar$/.test(mediaType) ? "none" : undefined;
}
