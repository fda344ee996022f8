import { ContentError, FormatError } from "../errors.ts";
import { configSizeLimit, parseImageConfig, type DiffId } from "../oci/config.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { digestOf, tally, type Digest } from "../oci/digest.ts";
import { encodeJson } from "../oci/json.ts";
import { manifestSizeLimit } from "../oci/manifest.ts";
import { MediaType } from "../oci/media-type.ts";
import { emptyIndex, findRoot, refNameAnnotation, withoutName } from "./layout-index.ts";
import type { ArchiveSource } from "./oci-archive.ts";
import { isSameName, parseSavedImages, type SavedImage } from "./saved-image.ts";
import type { CallOptions } from "./store.ts";
import { openTarFile, type TarFile, type TarPart } from "./tar-file.ts";
import { unknownContent } from "./unknown-content.ts";
import { abortable, readAll, verified } from "./verify.ts";

/**
 * Opens what `docker save`, `podman save` or {@link dockerArchive} wrote, gzipped or not.
 *
 * The form has no manifest; one of Docker's schema 2 is made for each image, with the layers as they lie in the archive.
 *
 * @throws {FormatError} `LAYOUT_INVALID`, `TAR_INVALID`
 */
export async function openDockerArchive(path: string, options: CallOptions = {}): Promise<ArchiveSource> {
  const tar = await openTarFile(path, options);
  try {
    return await archiveSource(path, tar, options);
  } catch (error) {
    await tar[Symbol.asyncDispose]();
    throw error;
  }
}

/** Content by its digest: parts of the archive, and the manifests that were made. */
type Contents = Map<Digest, TarPart>;

async function archiveSource(path: string, tar: TarFile, options: CallOptions): Promise<ArchiveSource> {
  const list = await readPart(path, tar, "manifest.json", manifestSizeLimit);
  const contents: Contents = new Map();
  const roots: Descriptor[] = [];
  for (const image of parseSavedImages(list, `${path}'s manifest.json`)) {
    const root = await imageRoot(path, tar, image, contents, options);
    const names = image.RepoTags ?? [];
    if (names.length === 0) roots.push(root);
    for (const name of names) roots.push({ ...root, annotations: { [refNameAnnotation]: name } });
  }
  const index = { ...emptyIndex, manifests: roots };
  return {
    async *fetch(target, options) {
      const part = contents.get(target.digest);
      if (part === undefined) throw unknownContent(target);
      yield* verified(target, abortable(part.read(), options?.signal));
    },
    async exists(target) {
      return contents.get(target.digest)?.size === target.size;
    },
    async resolve(reference) {
      const named = roots.find(({ annotations }) =>
        isSameName(annotations?.[refNameAnnotation] ?? "", reference),
      );
      const root = findRoot(index, reference) ?? (named === undefined ? undefined : withoutName(named));
      if (root !== undefined) return root;
      throw new ContentError("MANIFEST_UNKNOWN", `${path} has nothing named ${JSON.stringify(reference)}.`);
    },
    async roots() {
      return roots;
    },
    [Symbol.asyncDispose]: () => tar[Symbol.asyncDispose](),
  };
}

async function imageRoot(
  path: string,
  tar: TarFile,
  image: SavedImage,
  contents: Contents,
  options: CallOptions,
): Promise<Descriptor> {
  const bytes = await readPart(path, tar, image.Config, configSizeLimit);
  const diffIds = parseImageConfig(bytes).rootfs.diff_ids;
  if (diffIds.length !== image.Layers.length) {
    throw new FormatError(
      "LAYOUT_INVALID",
      `${path} has ${image.Layers.length} layers for an image whose configuration has ${diffIds.length} DiffIDs.`,
    );
  }
  const layers: Descriptor[] = [];
  for (const [position, diffId] of diffIds.entries()) {
    const part = partOf(path, tar, image.Layers[position] ?? "");
    const layer = await describeLayer(part, diffId, options);
    contents.set(layer.digest, part);
    layers.push(layer);
  }
  const config = made(contents, MediaType.dockerConfig, bytes);
  const mediaType = MediaType.dockerManifest;
  return made(contents, mediaType, encodeJson({ schemaVersion: 2, mediaType, config, layers }));
}

/** A tar is its DiffID, which every reading verifies. Newer archives hold layers as they were pushed, gzipped. */
async function describeLayer(part: TarPart, diffId: DiffId, options: CallOptions): Promise<Descriptor> {
  const start = await readAll(part.read(0, 2));
  if (start[0] !== 0x1f || start[1] !== 0x8b) {
    return { mediaType: MediaType.dockerLayer, digest: diffId, size: part.size };
  }
  const seen = tally();
  for await (const chunk of abortable(part.read(), options.signal)) seen.update(chunk);
  return { mediaType: MediaType.dockerLayerGzip, digest: seen.digest(), size: seen.size() };
}

function made(contents: Contents, mediaType: string, bytes: Uint8Array): Descriptor {
  const digest = digestOf(bytes);
  contents.set(digest, {
    size: bytes.byteLength,
    async *read(start, end) {
      yield bytes.subarray(start, end);
    },
  });
  return { mediaType, digest, size: bytes.byteLength };
}

async function readPart(path: string, tar: TarFile, name: string, limit: number): Promise<Uint8Array> {
  return readAll(partOf(path, tar, name).read(0, limit + 1));
}

function partOf(path: string, tar: TarFile, name: string): TarPart {
  const part = tar.find(name);
  if (part !== undefined) return part;
  throw new FormatError("LAYOUT_INVALID", `${path} has no ${JSON.stringify(name)} in it.`);
}
