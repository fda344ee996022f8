import {
  ContentError,
  FormatError,
  formatReference,
  isIndexType,
  isManifestType,
  layerCompression,
  contentOf,
  parseImageConfig,
  parseManifestDocument,
  parseReference,
  configSizeLimit,
  manifestSizeLimit,
  readAll,
  referenceTarget,
  selectPlatform,
  UndockedError,
  type BlobSource,
  type CallOptions,
  type Descriptor,
  type ImageConfig,
  type LocalStore,
  type Manifest,
  type Platform,
  type Reference,
  type RegistryClient,
  type RemoteRepository,
} from "@undocked/registry";
import { sharedWork, type SharedWork } from "../cache/shared-work.ts";
import { absentSource, keptSource } from "./kept-source.ts";
import { namedLayout } from "./named-layout.ts";
import type { Workspace } from "./workspace.ts";

/** An image that a stage starts from, or that files are copied from. */
export interface BaseImage {
  /** As people know it. */
  readonly name: string;
  /** Of the manifest for the platform. */
  readonly root: Descriptor;
  /** What the name stands for: the root, or an index that leads to it. */
  readonly named: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  readonly source: BlobSource;
  /** Where a registry could take its blobs over from. */
  readonly repository?: Reference;
}

/**
 * Opens an image of a registry: its manifest for the platform and its configuration, no layer. What a tag stands for is asked
 * anew; what a digest stands for is not asked twice.
 */
export async function openRegistryImage(text: string, opening: Opening): Promise<BaseImage> {
  const reference = parseReference(text);
  const name = formatReference(reference);
  const { workspace } = opening;
  const { offline, content, directory } = workspace;
  if (offline === undefined) {
    const repository = workspace.client.repository(reference);
    const root = await resolveImage(text, opening);
    const source = keptSource(repository, content, { directory });
    return { ...(await openImage(source, root, name, opening)), repository: reference };
  }
  const root = await knownRoot(reference, workspace);
  if (root === undefined) throw offline.missingName(name, "image");
  const absent = absentSource((target) => offline.missingContent(contentName(target), target, name));
  const source = keptSource(absent, content, { directory });
  return { ...(await openImage(source, root, name, opening)), repository: reference };
}

/**
 * What an image's name stands for in its registry: of a tag it is asked anew, once in a build; of a digest only if it is not
 * known.
 *
 * @param text - a reference
 */
export async function resolveImage(
  text: string,
  opening: Pick<Opening, "workspace" | "signal">,
): Promise<Descriptor> {
  const { resolved } = opening.workspace;
  const reference = parseReference(text);
  const name = formatReference(reference);
  const known = resolved.get(name);
  if (known !== undefined) return await known;
  const root = resolveAnew(reference, name, opening);
  resolved.set(name, root);
  return await root;
}

async function resolveAnew(
  reference: Reference,
  name: string,
  { workspace, signal }: Pick<Opening, "workspace" | "signal">,
): Promise<Descriptor> {
  const known = await knownRoot(reference, workspace);
  if (known !== undefined && reference.digest !== undefined) return known;
  const repository = workspace.client.repository(reference);
  // What a name stood for the last time is at hand, and mostly still what it stands for; of a new one the manifest is needed.
  const root = await resolveOnce(workspace.client, name, signal, async (call) =>
    known === undefined
      ? await fetchRoot(repository, reference, workspace, call)
      : await repository.resolve(referenceTarget(reference), call),
  );
  await workspace.references?.write(name, { target: root });
  return root;
}

/**
 * Keeps the manifest or index for who opens it, where it is what the registry says that it is: with the bytes, or, as public ECR
 * does, to who asks for no more than that. Else it is not believed: who opens it fetches it by its digest.
 */
async function fetchRoot(
  repository: RemoteRepository,
  reference: Reference,
  { content }: Workspace,
  call: CallOptions,
): Promise<Descriptor> {
  const target = referenceTarget(reference);
  const fetched = await repository.fetchManifest(target, call).catch((error: unknown) => {
    if (error instanceof FormatError) return undefined;
    throw error;
  });
  const isStated = fetched !== undefined && [fetched.stated, target].includes(fetched.descriptor.digest);
  const root = isStated ? fetched.descriptor : await repository.resolve(target, call);
  if (fetched?.descriptor.digest === root.digest) await content.push(root, contentOf(fetched.bytes), call);
  return root;
}

/** What the reference stood for the last time; of a digest, too, what came by a tag. */
async function knownRoot(
  reference: Reference,
  { references, content }: Workspace,
): Promise<Descriptor | undefined> {
  const kept = await references?.read(formatReference(reference));
  if (kept !== undefined || reference.digest === undefined) return kept?.target;
  return await content.resolve(reference.digest).catch((error: unknown) => {
    if (error instanceof UndockedError) return undefined;
    throw error;
  });
}

/** Builds that use one client at the same time ask once. */
async function resolveOnce(
  client: RegistryClient,
  name: string,
  signal: AbortSignal | undefined,
  ask: (call: CallOptions) => Promise<Descriptor>,
): Promise<Descriptor> {
  const share = resolving.get(client) ?? sharedWork<Descriptor>();
  resolving.set(client, share);
  return await share(name, signal, (signal) => ask({ signal }));
}

const resolving = new WeakMap<RegistryClient, SharedWork<Descriptor>>();

function contentName({ mediaType }: Descriptor): string {
  if (isIndexType(mediaType)) return "index";
  if (isManifestType(mediaType)) return "manifest";
  return layerCompression(mediaType) === undefined ? "configuration" : "layer";
}

/** Opens an image of a layout. */
export async function openLayoutImage(
  name: string,
  directory: string,
  reference: string,
  opening: Opening,
): Promise<BaseImage> {
  const layout = namedLayout(directory);
  return openImage(layout, await layout.resolve(reference, callOf(opening)), name, opening);
}

/** What an image is opened with. */
export interface Opening extends CallOptions {
  readonly platform: Platform;
  /** Keeps manifests and configurations, so that they are fetched once. */
  readonly workspace: Workspace;
}

async function openImage(
  source: BlobSource,
  named: Descriptor,
  name: string,
  opening: Opening,
  root: Descriptor = named,
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
    const selected = selectPlatform(document.index, opening.platform);
    return openImage(source, named, name, opening, selected, depth + 1);
  }
  const { manifest } = document;
  const config = parseImageConfig(await readSmall(source, manifest.config, configSizeLimit, opening));
  return { name, root: { ...root, mediaType: document.mediaType }, named, manifest, config, source };
}

async function readSmall(
  source: BlobSource,
  target: Descriptor,
  limit: number,
  opening: Opening,
): Promise<Uint8Array> {
  const { content, directory } = opening.workspace;
  if (target.size > limit) {
    throw new ContentError(
      "SIZE_MISMATCH",
      `${target.digest} says it has ${target.size} bytes; at most ${limit} are read for it.`,
    );
  }
  const kept = await readKept(content, target, callOf(opening));
  if (kept !== undefined) return kept;
  return await reading(`${directory}\0${target.digest}`, opening.signal, async (signal) => {
    const bytes = await readAll(source.fetch(target, { signal }));
    await content.push(target, contentOf(bytes), { signal });
    return bytes;
  });
}

const reading = sharedWork<Uint8Array>();

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
