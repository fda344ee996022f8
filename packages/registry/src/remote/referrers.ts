import { encodeJson } from "../oci/json.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { digestOf, type Digest } from "../oci/digest.ts";
import { parseManifestDocument, type Manifest } from "../oci/manifest.ts";
import { MediaType } from "../oci/media-type.ts";
import { referrersTag } from "../oci/reference.ts";
import type { CallOptions, ReferrersOptions } from "../store/store.ts";
import type { RepositoryContext } from "./context.ts";
import { pages } from "./listing.ts";
import { fetchManifest, putManifest } from "./manifest.ts";
import { RegistryError } from "./registry-error.ts";

/**
 * What refers to a manifest by its `subject`: signatures, attestations, lists of contents.
 *
 * By the referrers API; where a registry has none, by the tag that stands in for it (distribution-spec, "Listing Referrers").
 */
export async function* listReferrers(
  context: RepositoryContext,
  subject: Digest,
  options: ReferrersOptions,
): AsyncGenerator<Descriptor, void, void> {
  const { artifactType } = options;
  const query = artifactType === undefined ? "" : `?artifactType=${encodeURIComponent(artifactType)}`;
  const wanted = (it: Descriptor): boolean => artifactType === undefined || it.artifactType === artifactType;
  const first = `${context.base}/referrers/${subject}${query}`;
  for await (const { json, answer } of pages(context, first, options, [200, 400, 404, 405], {
    Accept: MediaType.ociIndex,
  })) {
    if (answer.status !== 200) {
      yield* (await taggedReferrers(context, subject, options)).manifests.filter(wanted);
      return;
    }
    // Filtered here too: a registry may not do it, or not say so.
    yield* manifestsOf(encodeJson(json)).filter(wanted);
  }
}

function manifestsOf(bytes: Uint8Array): readonly Descriptor[] {
  const document = parseManifestDocument(bytes, MediaType.ociIndex);
  return document.kind === "index" ? document.index.manifests : [];
}

async function taggedReferrers(
  context: RepositoryContext,
  subject: Digest,
  options: CallOptions,
): Promise<{ readonly manifests: readonly Descriptor[]; readonly etag?: string | undefined }> {
  try {
    const { document, etag } = await fetchManifest(context, referrersTag(subject), options);
    return { manifests: document.kind === "index" ? document.index.manifests : [], etag };
  } catch (error) {
    const absent = error instanceof RegistryError && error.status === 404;
    if (absent) return { manifests: [] };
    throw error;
  }
}

const ATTEMPTS = 5;

/**
 * Adds a manifest with a `subject` to the tag that stands in for the referrers API. Written over what was read, where the
 * registry can tell (`If-Match`), and read again after it: two who write at once would lose one of them.
 */
export async function addTaggedReferrer(
  context: RepositoryContext,
  referrer: Descriptor,
  manifest: Pick<Manifest, "annotations" | "artifactType"> & { readonly configType?: string },
  subject: Digest,
  options: CallOptions,
): Promise<void> {
  const artifactType = manifest.artifactType ?? manifest.configType;
  const entry: Descriptor = {
    mediaType: referrer.mediaType,
    digest: referrer.digest,
    size: referrer.size,
    ...(manifest.annotations === undefined ? {} : { annotations: manifest.annotations }),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const { manifests: present, etag } = await taggedReferrers(context, subject, options);
    if (present.some(({ digest }) => digest === entry.digest)) return;
    const bytes = encodeJson({
      schemaVersion: 2,
      mediaType: MediaType.ociIndex,
      manifests: [...present, entry],
    });
    const index = { mediaType: MediaType.ociIndex, digest: digestOf(bytes), size: bytes.byteLength };
    await putManifest(context, index, bytes, referrersTag(subject), options, etag);
  }
  const { manifests: present } = await taggedReferrers(context, subject, options);
  if (present.some(({ digest }) => digest === entry.digest)) return;
  throw new RegistryError(
    "UNAVAILABLE",
    `Others write ${referrersTag(subject)} at the same time; ${referrer.digest} is not in it.`,
    { hint: "Push it again." },
  );
}
