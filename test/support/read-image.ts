import { gunzipSync } from "node:zlib";
import {
  contentOf,
  layerCompression,
  parseImageConfig,
  parseManifestDocument,
  readAll,
  type BlobSource,
  type Descriptor,
  type ImageConfig,
  type Manifest,
} from "@undocked/registry";
import { readTar, type TarHeader } from "@undocked/registry/tar";

export interface ReadEntry extends TarHeader {
  /** Of small files. */
  readonly text: string;
}

export interface ReadImage {
  readonly root: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** In the order of the layer. */
  readonly layers: readonly (readonly ReadEntry[])[];
}

/** Everything of a small image, as somebody who pulls it gets it. */
export async function readImage(root: Descriptor, source: BlobSource): Promise<ReadImage> {
  const document = parseManifestDocument(await readAll(source.fetch(root)), root.mediaType);
  if (document.kind !== "manifest") throw new Error(`${root.digest} is an index`);
  const { manifest } = document;
  const config = parseImageConfig(await readAll(source.fetch(manifest.config)));
  const layers: ReadEntry[][] = [];
  for (const layer of manifest.layers) layers.push(await readLayer(layer, source));
  return { root, manifest, config, layers };
}

async function readLayer(layer: Descriptor, source: BlobSource): Promise<ReadEntry[]> {
  const blob = await readAll(source.fetch(layer));
  const tar = layerCompression(layer.mediaType) === "gzip" ? gunzipSync(blob) : blob;
  const entries: ReadEntry[] = [];
  for await (const { header, body } of readTar(contentOf(tar))) {
    entries.push({ ...header, text: Buffer.from(await readAll(body)).toString() });
  }
  return entries;
}

/** `var/task/ 0755`, `var/task/handler.js 0644`, `var/task/link.js -> handler.js`. */
export function listing(entries: readonly ReadEntry[]): string[] {
  return entries.map(({ path, kind, mode, linkTarget }) => {
    if (kind === "symlink") return `${path} -> ${linkTarget}`;
    return `${path}${kind === "directory" ? "/" : ""} ${mode.toString(8).padStart(4, "0")}`;
  });
}
