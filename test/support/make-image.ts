import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import {
  contentOf,
  digestOf,
  encodeJson,
  MediaType,
  memoryStore,
  parseManifestDocument,
  readAll,
  type ContainerConfig,
  type Descriptor,
  type HistoryEntry,
  type MemoryStore,
  type Platform,
} from "@undocked/registry";
import { writeTar, type TarEntry } from "@undocked/registry/tar";

/** An image that a test made, whole, in memory. */
export interface MadeImage {
  /** A manifest, or an index. */
  readonly root: Descriptor;
  readonly store: MemoryStore;
}

export interface ImageParts {
  /** Each layer's entries, from the bottom up. */
  readonly layers: readonly (readonly TarEntry[])[];
  readonly config?: ContainerConfig;
  readonly history?: readonly HistoryEntry[];
  /** Default: linux/amd64. */
  readonly platform?: Platform;
  /** The family of media types. Default: `oci`. */
  readonly types?: "oci" | "docker";
  /** Where its blobs go. Default: a new store. */
  readonly store?: MemoryStore;
}

/** One manifest, its configuration and its layers, gzipped. */
export async function makeImage(parts: ImageParts): Promise<MadeImage> {
  const { store = memoryStore(), platform = { architecture: "amd64", os: "linux" } } = parts;
  const types = parts.types === "docker" ? dockerTypes : ociTypes;
  const layers: Descriptor[] = [];
  const diffIds: string[] = [];
  for (const entries of parts.layers) {
    const tar = await readAll(writeTar(entries));
    diffIds.push(digestOf(tar));
    layers.push(await put(store, types.layer, gzipSync(tar)));
  }
  const config = await put(
    store,
    types.config,
    encodeJson({
      created: "2026-07-01T00:00:00Z",
      ...platform,
      config: parts.config ?? {},
      rootfs: { type: "layers", diff_ids: diffIds },
      history: parts.history ?? layers.map(() => ({ created_by: "COPY /rootfs/ / # buildkit" })),
    }),
  );
  const manifest = { schemaVersion: 2, mediaType: types.manifest, config, layers };
  return { root: await put(store, types.manifest, encodeJson(manifest)), store };
}

/** An index over manifests that lie in the same store; each descriptor says its platform. */
export async function makeIndex(
  store: MemoryStore,
  manifests: readonly Descriptor[],
  types: "oci" | "docker" = "oci",
): Promise<MadeImage> {
  const mediaType = (types === "docker" ? dockerTypes : ociTypes).index;
  return { root: await put(store, mediaType, encodeJson({ schemaVersion: 2, mediaType, manifests })), store };
}

export async function put(store: MemoryStore, mediaType: string, bytes: Uint8Array): Promise<Descriptor> {
  return store.ingest(mediaType, contentOf(bytes));
}

/** Sends an image to a registry that asks for nothing, by the shortest way; it has no code in common with the client. */
export async function pushMade(
  image: MadeImage,
  origin: string,
  repository: string,
  tag: string,
): Promise<void> {
  for await (const { descriptor, bytes, kind } of contentsOf(image)) {
    if (kind === "manifest") {
      const reference = descriptor.digest === image.root.digest ? tag : descriptor.digest;
      await send("PUT", `${origin}/v2/${repository}/manifests/${reference}`, bytes, descriptor.mediaType);
      continue;
    }
    const session = await send("POST", `${origin}/v2/${repository}/blobs/uploads/`);
    const place = new URL(session.headers.get("location") ?? "", origin).href;
    const separator = place.includes("?") ? "&" : "?";
    await send("PUT", `${place}${separator}digest=${descriptor.digest}`, bytes, "application/octet-stream");
  }
}

/** Writes an image as an OCI layout with one tag. */
export async function writeMade(image: MadeImage, directory: string, tag: string): Promise<void> {
  await mkdir(join(directory, "blobs/sha256"), { recursive: true });
  for await (const { descriptor, bytes } of contentsOf(image)) {
    await writeFile(join(directory, "blobs", descriptor.digest.replace(":", "/")), bytes);
  }
  const root = { ...image.root, annotations: { "org.opencontainers.image.ref.name": tag } };
  await writeFile(
    join(directory, "index.json"),
    encodeJson({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [root] }),
  );
  await writeFile(join(directory, "oci-layout"), encodeJson({ imageLayoutVersion: "1.0.0" }));
}

interface Content {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly kind: "manifest" | "blob";
}

/** What a registry must have first comes first: blobs, then manifests, then the root. */
async function* contentsOf({ root, store }: MadeImage): AsyncGenerator<Content> {
  const bytes = await readAll(store.fetch(root));
  const document = parseManifestDocument(bytes, root.mediaType);
  if (document.kind === "index") {
    for (const child of document.index.manifests) yield* contentsOf({ root: child, store });
  } else {
    for (const blob of [document.manifest.config, ...document.manifest.layers]) {
      yield { descriptor: blob, bytes: await readAll(store.fetch(blob)), kind: "blob" };
    }
  }
  yield { descriptor: root, bytes, kind: "manifest" };
}

async function send(method: string, url: string, bytes?: Uint8Array, mediaType?: string): Promise<Response> {
  const response = await fetch(url, {
    method,
    ...(bytes === undefined ? {} : { body: new Uint8Array(bytes) }),
    ...(mediaType === undefined ? {} : { headers: { "Content-Type": mediaType } }),
  });
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
  await response.arrayBuffer();
  return response;
}

const ociTypes = {
  manifest: MediaType.ociManifest,
  index: MediaType.ociIndex,
  config: MediaType.ociConfig,
  layer: MediaType.ociLayerGzip,
};

const dockerTypes = {
  manifest: MediaType.dockerManifest,
  index: MediaType.dockerManifestList,
  config: MediaType.dockerConfig,
  layer: MediaType.dockerLayerGzip,
};
