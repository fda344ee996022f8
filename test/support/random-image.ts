import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import {
  children,
  contentOf,
  digestOf,
  encodeJson,
  layerCompression,
  MediaType,
  parseImageConfig,
  parseManifestDocument,
  readAll,
  type BlobSource,
  type Descriptor,
  type Digest,
  type LocalStore,
} from "@undocked/registry";
import { writeTar, type TarEntry } from "@undocked/registry/tar";

export interface RandomImageOptions {
  /** Default: 2. */
  readonly layers?: number;
  /** Bytes of each layer's one file. Default: 1000. */
  readonly bytes?: number;
  readonly compression?: "gzip" | "none";
  readonly types?: "oci" | "docker";
  readonly architecture?: string;
}

/** An image that a runtime would take, the same for the same seed; gives its manifest. */
export async function randomImage(
  store: LocalStore,
  seed: number | string,
  options: RandomImageOptions = {},
): Promise<Descriptor> {
  const {
    layers: count = 2,
    bytes = 1000,
    compression = "gzip",
    types = "oci",
    architecture = "amd64",
  } = options;
  const layers: Descriptor[] = [];
  const diffIds: Digest[] = [];
  for (let number = 0; number < count; number++) {
    const tar = await readAll(writeTar(layerEntries(`${seed}/${number}`, number, bytes)));
    diffIds.push(digestOf(tar));
    const gzip = compression === "gzip";
    const mediaType =
      types === "oci"
        ? gzip
          ? MediaType.ociLayerGzip
          : MediaType.ociLayer
        : gzip
          ? MediaType.dockerLayerGzip
          : MediaType.dockerLayer;
    layers.push(await store.ingest(mediaType, contentOf(gzip ? gzipSync(tar) : tar)));
  }
  const config = await store.ingest(
    types === "oci" ? MediaType.ociConfig : MediaType.dockerConfig,
    contentOf(
      encodeJson({
        created: "1970-01-01T00:00:00Z",
        architecture,
        os: "linux",
        config: { Cmd: [`/file-${seed}`], Labels: { seed: String(seed) } },
        rootfs: { type: "layers", diff_ids: diffIds },
        history: [
          ...diffIds.map((_, number) => ({ created: "1970-01-01T00:00:00Z", created_by: `COPY ${number}` })),
          { created: "1970-01-01T00:00:00Z", created_by: "CMD", empty_layer: true },
        ],
      }),
    ),
  );
  const mediaType = types === "oci" ? MediaType.ociManifest : MediaType.dockerManifest;
  return store.ingest(mediaType, contentOf(encodeJson({ schemaVersion: 2, mediaType, config, layers })));
}

/** An artifact, as a signature or a list of contents is one; the same for the same seed. */
export async function randomArtifact(
  store: LocalStore,
  seed: string,
  options: { readonly subject?: Descriptor; readonly artifactType?: string } = {},
): Promise<Descriptor> {
  const { subject, artifactType = "application/vnd.undocked.test" } = options;
  const mediaType = MediaType.ociManifest;
  const config = await store.ingest(MediaType.ociEmpty, contentOf(encodeJson({})));
  const layer = await store.ingest("text/plain", contentOf(randomBytes(seed, 100)));
  const manifest = { schemaVersion: 2, mediaType, artifactType, config, layers: [layer] };
  return store.ingest(
    mediaType,
    contentOf(encodeJson(subject === undefined ? manifest : { ...manifest, subject })),
  );
}

/** An index of images for several architectures, within another index where `nested`. */
export async function randomIndex(
  store: LocalStore,
  seed: number | string,
  architectures: readonly string[] = ["amd64", "arm64"],
): Promise<Descriptor> {
  const manifests: Descriptor[] = [];
  for (const architecture of architectures) {
    const root = await randomImage(store, `${seed}-${architecture}`, { architecture });
    manifests.push({ ...root, platform: { os: "linux", architecture } });
  }
  return indexOf(store, manifests);
}

export function indexOf(store: LocalStore, manifests: readonly Descriptor[]): Promise<Descriptor> {
  const mediaType = MediaType.ociIndex;
  return store.ingest(mediaType, contentOf(encodeJson({ schemaVersion: 2, mediaType, manifests })));
}

/**
 * What is true of every image that is whole, stated once: each document and blob is there under its digest and size, each
 * layer's tar has the DiffID that the configuration names for it, and the history has an entry per layer.
 */
export async function validateImage(root: Descriptor, source: BlobSource): Promise<void> {
  const document = parseManifestDocument(await readChecked(root, source), root.mediaType);
  if (document.kind === "index") {
    for (const child of children(document)) await validateImage(child, source);
    return;
  }
  const { config: configDescriptor, layers } = document.manifest;
  const config = parseImageConfig(await readChecked(configDescriptor, source));
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== layers.length)
    throw new Error(`${diffIds.length} DiffIDs for ${layers.length} layers`);
  for (const [number, layer] of layers.entries()) {
    const bytes = await readChecked(layer, source);
    const tar = layerCompression(layer.mediaType) === "gzip" ? gunzipSync(bytes) : bytes;
    if (digestOf(tar) !== diffIds[number])
      throw new Error(`layer ${number} is ${digestOf(tar)}, not ${diffIds[number]}`);
  }
  const made = config.history?.filter((entry) => entry.empty_layer !== true);
  if (made !== undefined && made.length !== layers.length) {
    throw new Error(`${made.length} entries of history for ${layers.length} layers`);
  }
}

/** Does not trust the source to have verified. */
async function readChecked(target: Descriptor, source: BlobSource): Promise<Uint8Array> {
  const bytes = await readAll(source.fetch(target));
  if (bytes.byteLength !== target.size)
    throw new Error(`${target.digest} has ${bytes.byteLength} bytes, not ${target.size}`);
  const [algorithm = "", hex] = target.digest.split(":");
  if (createHash(algorithm).update(bytes).digest("hex") !== hex)
    throw new Error(`${target.digest} has another digest`);
  return bytes;
}

function layerEntries(seed: string, number: number, bytes: number): readonly TarEntry[] {
  const header = { mode: 0o644, uid: 0, gid: 0, mtime: 0 };
  const body = randomBytes(seed, bytes);
  return [
    { header: { ...header, path: `dir-${number}`, kind: "directory", mode: 0o755, size: 0 } },
    { header: { ...header, path: `dir-${number}/file`, kind: "file", size: bytes }, body },
  ];
}

/** Bytes that do not compress, the same for the same seed. */
export function randomBytes(seed: number | string, size: number): Uint8Array {
  return createHash("shake256", { outputLength: size }).update(String(seed)).digest();
}
