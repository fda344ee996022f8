import {
  contentOf,
  digestOf,
  encodeJson,
  MediaType,
  memoryStore,
  replayable,
  type Descriptor,
  type DigestAlgorithm,
  type MemoryStore,
  type RemoteRepository,
  type ReplayableContent,
} from "@undocked/registry";
import { randomBytes, randomImage } from "../../support/random-image.ts";

/** Content with what points to it. */
export interface Blob {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  /** To be read as often as it is wanted. */
  readonly content: ReplayableContent;
}

export function blobOf(
  bytes: Uint8Array,
  algorithm: DigestAlgorithm = "sha256",
  mediaType: string = MediaType.ociLayerGzip,
): Blob {
  const descriptor = { mediaType, digest: digestOf(bytes, algorithm), size: bytes.byteLength };
  return { descriptor, bytes, content: replayable(() => contentOf(bytes)) };
}

/** The same for the same seed. */
export function randomBlob(seed: string, size = 10_000, algorithm: DigestAlgorithm = "sha256"): Blob {
  return blobOf(randomBytes(seed, size), algorithm);
}

export function documentOf(value: object, mediaType: string = MediaType.ociManifest): Blob {
  return blobOf(encodeJson(value), "sha256", mediaType);
}

export async function pushed(repository: RemoteRepository, blob: Blob): Promise<Blob> {
  await repository.push(blob.descriptor, blob.content);
  return blob;
}

/** An image with its store. */
export async function imageOf(seed: string, layers = 2): Promise<{ store: MemoryStore; root: Descriptor }> {
  const store = memoryStore();
  return { store, root: await randomImage(store, seed, { layers }) };
}

/** An artifact without content that refers to another manifest, and the blobs it is made of. */
export function referrerOf(
  subject: Descriptor,
  name: string,
  artifactType = "application/x.checklist",
): { readonly config: Blob; readonly manifest: Blob } {
  const config = blobOf(encodeJson({}), "sha256", MediaType.ociEmpty);
  const manifest = documentOf({
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    artifactType,
    config: config.descriptor,
    layers: [],
    subject,
    annotations: { name },
  });
  return { config, manifest };
}

export async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
