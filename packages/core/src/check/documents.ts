import {
  configSizeLimit,
  ContentError,
  manifestSizeLimit,
  parseImageConfig,
  parseManifestDocument,
  readAll,
  selectPlatform,
  type BlobSource,
  type CallOptions,
  type Descriptor,
  type ImageConfig,
  type Manifest,
  type Platform,
} from "@undocked/registry";

/** One image's two documents. */
export interface ImageDocuments {
  /** Of the manifest. */
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  readonly platform: Platform;
}

/** Nobody nests indexes deeper (image-spec, image-index.md lets one hold others). */
const DEEPEST = 3;
/** More images than an index can be meant to have. */
const MOST_IMAGES = 256;

/**
 * Every image that a root leads to, or the one for a platform. Attestations, whose platform is unknown, are passed over.
 *
 * @throws {ContentError} `PLATFORM_UNKNOWN`
 */
export async function imagesOf(
  root: Descriptor,
  source: BlobSource,
  { platform, ...call }: CallOptions & { readonly platform?: Platform } = {},
): Promise<readonly ImageDocuments[]> {
  const images: ImageDocuments[] = [];
  const ahead = [{ descriptor: root, depth: 0 }];
  for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) {
    const { descriptor, depth } = next;
    const bytes = await readSmall(source, descriptor, manifestSizeLimit, call);
    const document = parseManifestDocument(bytes, descriptor.mediaType);
    if (document.kind === "manifest") {
      const { manifest } = document;
      const config = parseImageConfig(await readSmall(source, manifest.config, configSizeLimit, call));
      images.push({ descriptor, manifest, config, platform: platformOf(config) });
      continue;
    }
    const wanted =
      platform === undefined
        ? document.index.manifests.filter(isImage)
        : [selectPlatform(document.index, platform)];
    if (depth === DEEPEST || images.length + ahead.length + wanted.length > MOST_IMAGES) {
      throw new ContentError(
        "PLATFORM_UNKNOWN",
        `The index has more than ${MOST_IMAGES} images, or indexes more than ${DEEPEST} deep.`,
      );
    }
    ahead.push(...wanted.map((descriptor) => ({ descriptor, depth: depth + 1 })));
  }
  return images;
}

function isImage({ platform, annotations }: Descriptor): boolean {
  if (annotations?.["vnd.docker.reference.type"] === "attestation-manifest") return false;
  return platform?.os !== "unknown" && platform?.architecture !== "unknown";
}

function platformOf({ os, architecture, variant }: ImageConfig): Platform {
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

async function readSmall(
  source: BlobSource,
  target: Descriptor,
  limit: number,
  call: CallOptions,
): Promise<Uint8Array> {
  if (target.size > limit) {
    throw new ContentError(
      "SIZE_MISMATCH",
      `${target.digest} says it has ${target.size} bytes; at most ${limit} are read for it.`,
    );
  }
  return readAll(source.fetch(target, call));
}
