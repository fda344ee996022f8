import {
  digestOf,
  encodeJson,
  MediaType,
  type ContainerConfig,
  type Descriptor,
  type DiffId,
  type HistoryEntry,
  type ImageConfig,
  type Index,
  type Manifest,
  type Platform,
} from "@undocked/registry";

export interface ImageParts {
  readonly base: { readonly config: ImageConfig; readonly layers: readonly Descriptor[] } | undefined;
  readonly platform: Platform;
  readonly config: ContainerConfig;
  readonly author?: string;
  /** Of the build's own instructions. */
  readonly history: readonly HistoryEntry[];
  readonly layers: readonly { readonly descriptor: Descriptor; readonly diffId: DiffId }[];
  /** RFC 3339. */
  readonly created: string;
  /** Of the manifest. */
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface AssembledImage {
  readonly config: ImageConfig;
  readonly configBytes: Uint8Array;
  readonly manifest: Manifest;
  readonly manifestBytes: Uint8Array;
  readonly root: Descriptor;
}

/** The image's two documents. Always OCI's: a Docker base's layers keep their bytes and get OCI's media types. */
export function assembleImage(parts: ImageParts): AssembledImage {
  const config = imageConfig(parts);
  const configBytes = encodeJson(config);
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    config: descriptorOf(MediaType.ociConfig, configBytes),
    layers: [
      ...(parts.base?.layers ?? []).map(ociLayer),
      ...parts.layers.map(({ descriptor }) => descriptor),
    ],
    ...annotated(parts.annotations),
  };
  const manifestBytes = encodeJson(manifest);
  return {
    config,
    configBytes,
    manifest,
    manifestBytes,
    root: descriptorOf(MediaType.ociManifest, manifestBytes),
  };
}

export interface AssembledIndex {
  readonly index: Index;
  readonly bytes: Uint8Array;
  readonly root: Descriptor;
}

/** The index of images for several platforms, in their order (image-spec, image-index.md). */
export function assembleIndex(
  images: readonly { readonly root: Descriptor; readonly platform: Platform }[],
  annotations?: Readonly<Record<string, string>>,
): AssembledIndex {
  const index: Index = {
    schemaVersion: 2,
    mediaType: MediaType.ociIndex,
    manifests: images.map(({ root, platform }) => ({ ...root, platform: platformFields(platform) })),
    ...annotated(annotations),
  };
  const bytes = encodeJson(index);
  return { index, bytes, root: descriptorOf(MediaType.ociIndex, bytes) };
}

function platformFields(platform: Platform): Platform {
  const { architecture, os, variant } = platform;
  const version = platform["os.version"];
  return {
    architecture,
    os,
    ...(version === undefined ? {} : { "os.version": version }),
    ...(variant === undefined ? {} : { variant }),
  };
}

function annotated(annotations: Readonly<Record<string, string>> | undefined): Pick<Index, "annotations"> {
  if (annotations === undefined || Object.keys(annotations).length === 0) return {};
  return { annotations: sortedByKey(annotations) };
}

function imageConfig({ base, platform, config, author, history, layers, created }: ImageParts): ImageConfig {
  const inherited = base?.config;
  const name = author ?? inherited?.author;
  const osVersion = platform["os.version"] ?? inherited?.["os.version"];
  return {
    created,
    ...(name === undefined ? {} : { author: name }),
    architecture: platform.architecture,
    os: platform.os,
    ...(osVersion === undefined ? {} : { "os.version": osVersion }),
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    config: containerConfig(config),
    rootfs: {
      type: "layers",
      diff_ids: [...(inherited?.rootfs.diff_ids ?? []), ...layers.map(({ diffId }) => diffId)],
    },
    history: [...(inherited?.history ?? []), ...history],
  };
}

const configKeys = [
  "User",
  "ExposedPorts",
  "Env",
  "Entrypoint",
  "Cmd",
  "Healthcheck",
  "Volumes",
  "WorkingDir",
  "Labels",
  "StopSignal",
  "Shell",
  "OnBuild",
] as const satisfies readonly (keyof ContainerConfig)[];

/** One order of keys, whatever order the Dockerfile and the base had: the same image has the same bytes. */
function containerConfig(config: ContainerConfig): ContainerConfig {
  return Object.fromEntries(
    configKeys.flatMap((key) => {
      const value = config[key];
      return value === undefined ? [] : [[key, isMap(value) ? sortedByKey<unknown>(value) : value]];
    }),
  );
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sortedByKey<T>(map: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(map).toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
}

function descriptorOf(mediaType: string, bytes: Uint8Array): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
}

const ociTypes: ReadonlyMap<string, string> = new Map([
  [MediaType.dockerLayer, MediaType.ociLayer],
  [MediaType.dockerLayerGzip, MediaType.ociLayerGzip],
  [MediaType.dockerForeignLayerGzip, "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"],
]);

function ociLayer(layer: Descriptor): Descriptor {
  return { ...layer, mediaType: ociTypes.get(layer.mediaType) ?? layer.mediaType };
}
