import { ContentError, FormatError } from "../errors.ts";
import { parseImageConfig, type DiffId } from "../oci/config.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { digestAlgorithm, digestHex, isDigest, tally, type Digest } from "../oci/digest.ts";
import { encodeJson } from "../oci/json.ts";
import type { Manifest } from "../oci/manifest.ts";
import { layerCompression } from "../oci/media-type.ts";
import type { TarEntry } from "../tar/index.ts";
import { archiveSink, type ArchiveSink } from "./archive-sink.ts";
import { readDocument } from "./graph.ts";
import { gunzipped } from "./gunzip.ts";
import { refNameAnnotation } from "./layout-index.ts";
import type { OciLayout } from "./layout.ts";
import { savedName, type SavedImage } from "./saved-image.ts";
import type { CallOptions } from "./store.ts";
import { directoryEntry, fileEntry, textEntry } from "./tar-entry.ts";
import { readAll, verified } from "./verify.ts";

/**
 * Images as `docker save` writes them and `docker load`, `podman load` and `skopeo copy docker-archive:` read them, to be
 * written. Layers lie in it uncompressed, each checked against its DiffID. The same images give the same bytes.
 *
 * What is tagged must be one image, not an index: the form has no place for platforms. Names are references (`app:1.0`).
 */
export async function dockerArchive(path: string): Promise<ArchiveSink> {
  // The form has no place for what refers to an image: that is taken away here, and never called.
  // oxlint-disable-next-line typescript/unbound-method
  const { referrers: _, ...sink } = await archiveSink(path, savedEntries);
  return {
    ...sink,
    async tag(target, reference, options) {
      await sink.tag(target, savedName(reference), options);
    },
    async resolve(reference, options) {
      return sink.resolve(isDigest(reference) ? reference : savedName(reference), options);
    },
  };
}

async function* savedEntries(layout: OciLayout, options: CallOptions): AsyncGenerator<TarEntry, void, void> {
  const images: SavedImage[] = [];
  const layers = new Map<DiffId, SavedLayer>();
  const entries: TarEntry[] = [];
  for (const { root, names } of await namedRoots(layout)) {
    const { config, layers: descriptors } = await imageManifest(layout, root, options);
    const bytes = await readAll(layout.fetch(config, options));
    const diffIds = parseImageConfig(bytes).rootfs.diff_ids;
    checkLayers(root, descriptors, diffIds);
    for (const [position, diffId] of diffIds.entries()) {
      const layer = descriptors[position];
      if (layer === undefined || layers.has(diffId)) continue;
      const size = await tarSize(layout, layer, diffId, options);
      layers.set(diffId, { layer, size });
      entries.push(directoryEntry(digestHex(diffId)));
      const tar = verified({ ...layer, digest: diffId, size }, tarOf(layout, layer, options));
      entries.push(fileEntry(layerPath(diffId), size, tar));
    }
    entries.push(textEntry(configPath(config), bytes));
    images.push({
      Config: configPath(config),
      RepoTags: names,
      Layers: diffIds.map(layerPath),
    });
  }
  entries.push(textEntry("manifest.json", encodeJson(images)));
  entries.push(textEntry("repositories", encodeJson(repositories(images))));
  const byPath = new Map(entries.map((entry) => [entry.header.path, entry]));
  yield* [...byPath.values()].sort((a, b) => (a.header.path < b.header.path ? -1 : 1));
}

interface SavedLayer {
  readonly layer: Descriptor;
  /** Bytes of its tar. */
  readonly size: number;
}

interface NamedRoot {
  readonly root: Descriptor;
  readonly names: string[];
}

async function namedRoots(layout: OciLayout): Promise<readonly NamedRoot[]> {
  const images = new Map<Digest, NamedRoot>();
  for (const root of await layout.roots()) {
    const image = images.get(root.digest) ?? { root, names: [] };
    const { [refNameAnnotation]: name } = root.annotations ?? {};
    if (name !== undefined) image.names.push(name);
    images.set(root.digest, image);
  }
  // What has no name was not tagged: it is there because it refers to something.
  return [...images.values()].filter(({ names }) => names.length > 0);
}

async function imageManifest(layout: OciLayout, root: Descriptor, options: CallOptions): Promise<Manifest> {
  const { document } = await readDocument(layout, root, options);
  if (document.kind === "manifest") return document.manifest;
  throw new FormatError(
    "MANIFEST_INVALID",
    `${root.digest} is an index; a docker-archive holds single images.`,
    {
      hint: "Write one platform to it, or write an oci-archive.",
    },
  );
}

function checkLayers(root: Descriptor, layers: readonly Descriptor[], diffIds: readonly DiffId[]): void {
  if (layers.length !== diffIds.length) {
    throw new FormatError(
      "MANIFEST_INVALID",
      `${root.digest} has ${layers.length} layers, and its configuration ${diffIds.length} DiffIDs.`,
    );
  }
  const odd = layers.find(({ mediaType }) => !["none", "gzip"].includes(layerCompression(mediaType) ?? ""));
  if (odd !== undefined) {
    throw new FormatError(
      "MANIFEST_INVALID",
      `${odd.digest} is ${odd.mediaType}; a docker-archive holds tars.`,
      {
        hint: "Write an oci-archive, which holds layers as they are.",
      },
    );
  }
}

/** A tar's header has the size before the content: the layer is inflated once to know it, and again to be written. */
async function tarSize(
  layout: OciLayout,
  layer: Descriptor,
  diffId: DiffId,
  options: CallOptions,
): Promise<number> {
  const seen = tally(digestAlgorithm(diffId));
  for await (const chunk of tarOf(layout, layer, options)) seen.update(chunk);
  if (seen.digest() === diffId) return seen.size();
  throw new ContentError(
    "DIGEST_MISMATCH",
    `The layer ${layer.digest} has the DiffID ${seen.digest()}; its configuration says ${diffId}.`,
  );
}

function tarOf(layout: OciLayout, layer: Descriptor, options: CallOptions): AsyncIterable<Uint8Array> {
  const content = layout.fetch(layer, options);
  return layerCompression(layer.mediaType) === "gzip" ? gunzipped(content) : content;
}

const configPath = ({ digest }: Descriptor): string => `${digestHex(digest)}.json`;
const layerPath = (diffId: DiffId): string => `${digestHex(diffId)}/layer.tar`;

/** What older tools read: for each name its top layer. */
function repositories(images: readonly SavedImage[]): Readonly<Record<string, Record<string, string>>> {
  const all = new Map<string, Record<string, string>>();
  for (const { RepoTags, Layers } of images) {
    for (const reference of RepoTags ?? []) {
      const colon = reference.lastIndexOf(":");
      const name = reference.slice(0, colon);
      const top = Layers.at(-1)?.split("/", 1)[0];
      if (top !== undefined) all.set(name, { ...all.get(name), [reference.slice(colon + 1)]: top });
    }
  }
  return Object.fromEntries(all);
}
