import {
  ContentError,
  formatReference,
  ociLayout,
  contentOf,
  parseImageConfig,
  parseManifestDocument,
  parseReference,
  configSizeLimit,
  manifestSizeLimit,
  readAll,
  referenceTarget,
  selectPlatform,
  type BlobSource,
  type CallOptions,
  type Descriptor,
  type ImageConfig,
  type LocalStore,
  type Manifest,
  type Platform,
  type Reference,
  type RegistryClient,
} from "@undocked/registry";

/** An image that a stage starts from, or that files are copied from. */
export interface BaseImage {
  /** As people know it. */
  readonly name: string;
  /** Of the manifest for the platform. */
  readonly root: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  readonly source: BlobSource;
  /** Where a registry could take its blobs over from. */
  readonly repository?: Reference;
}

/** Opens an image of a registry: its manifest for the platform and its configuration, no layer. */
export async function openRegistryImage(text: string, opening: Opening): Promise<BaseImage> {
  const reference = parseReference(text);
  const repository = opening.client.repository(reference);
  const root = await repository.resolve(referenceTarget(reference), callOf(opening));
  return {
    ...(await openImage(repository, root, formatReference(reference), opening)),
    repository: reference,
  };
}

/** Opens an image of a layout. */
export async function openLayoutImage(
  name: string,
  directory: string,
  reference: string,
  opening: Opening,
): Promise<BaseImage> {
  const layout = ociLayout(directory);
  return openImage(layout, await layout.resolve(reference, callOf(opening)), name, opening);
}

/** What an image is opened with. */
export interface Opening extends CallOptions {
  readonly client: RegistryClient;
  readonly platform: Platform;
  /** Keeps manifests and configurations, so that they are fetched once. */
  readonly documents: LocalStore;
}

async function openImage(
  source: BlobSource,
  root: Descriptor,
  name: string,
  opening: Opening,
  depth = 0,
): Promise<BaseImage> {
  const document = parseManifestDocument(
    await readSmall(source, root, manifestSizeLimit, opening),
    root.mediaType,
  );
  if (document.kind === "index") {
    // An index may hold indexes (image-spec, image-index.md); nobody nests them deeper than this.
    if (depth === 3)
      throw new ContentError("PLATFORM_UNKNOWN", `${name} nests its indexes more than 3 deep.`);
    return openImage(source, selectPlatform(document.index, opening.platform), name, opening, depth + 1);
  }
  const { manifest } = document;
  const config = parseImageConfig(await readSmall(source, manifest.config, configSizeLimit, opening));
  return { name, root: { ...root, mediaType: document.mediaType }, manifest, config, source };
}

async function readSmall(
  source: BlobSource,
  target: Descriptor,
  limit: number,
  opening: Opening,
): Promise<Uint8Array> {
  const { documents } = opening;
  if (target.size > limit) {
    throw new ContentError(
      "SIZE_MISMATCH",
      `${target.digest} says it has ${target.size} bytes; at most ${limit} are read for it.`,
    );
  }
  const call = callOf(opening);
  const kept = await readKept(documents, target, call);
  if (kept !== undefined) return kept;
  const bytes = await readAll(source.fetch(target, call));
  await documents.push(target, contentOf(bytes), call);
  return bytes;
}

/** `undefined`: it is not there, or is damaged. */
async function readKept(
  documents: LocalStore,
  target: Descriptor,
  call: CallOptions,
): Promise<Uint8Array | undefined> {
  try {
    return (await documents.exists(target, call)) ? await readAll(documents.fetch(target, call)) : undefined;
  } catch (error) {
    if (error instanceof ContentError) return undefined;
    throw error;
  }
}

function callOf({ signal }: Opening): CallOptions {
  return signal === undefined ? {} : { signal };
}
