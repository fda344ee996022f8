import { resolve } from "node:path";
import {
  ContentError,
  formatReference,
  ociLayout,
  contentOf,
  parseDigest,
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
import { OptionsError } from "./options.ts";

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

/** What a named context stands for. */
export type NamedContext =
  | { readonly kind: "image"; readonly reference: string }
  | { readonly kind: "layout"; readonly path: string; readonly reference: string };

/** Opens the image that a named context stands for. A layout's relative path starts at the project. */
export async function openNamedContext(
  name: string,
  context: NamedContext,
  project: string,
  opening: Opening,
): Promise<BaseImage> {
  if (context.kind === "image") return openRegistryImage(context.reference, opening);
  const layout = ociLayout(resolve(project, context.path));
  return openImage(layout, await layout.resolve(context.reference, callOf(opening)), name, opening);
}

/**
 * Reads `docker-image://REFERENCE` or `oci-layout:///directory[:tag][@digest]`.
 *
 * @throws {OptionsError} `OPTIONS_INVALID`
 */
export function parseNamedContext(name: string, value: string): NamedContext {
  const [, scheme, rest = ""] = /^(docker-image|oci-layout):\/\/(.+)$/s.exec(value) ?? [];
  if (scheme === undefined) {
    throw new OptionsError(
      "OPTIONS_INVALID",
      `The named context ${name} is ${JSON.stringify(value)}, which is no kind of context that there is.`,
      {
        hint: `Write ${name}=docker-image://REFERENCE or ${name}=oci-layout:///directory:tag.`,
      },
    );
  }
  if (scheme === "docker-image") return { kind: "image", reference: formatReference(parseReference(rest)) };
  const [located = "", digest] = rest.split("@", 2);
  const colon = located.lastIndexOf(":");
  const tagged = colon > located.lastIndexOf("/");
  const tag = tagged ? located.slice(colon + 1) : "latest";
  return {
    kind: "layout",
    path: tagged ? located.slice(0, colon) : located,
    reference: digest === undefined ? tag : parseDigest(digest),
  };
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
