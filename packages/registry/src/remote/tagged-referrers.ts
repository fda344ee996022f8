import { FormatError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { digestOf, type Digest } from "../oci/digest.ts";
import { encodeJson } from "../oci/json.ts";
import type { Index } from "../oci/manifest.ts";
import { MediaType } from "../oci/media-type.ts";
import { referrersTag } from "../oci/reference.ts";
import type { CallOptions } from "../store/store.ts";
import type { RegistryLine, RepositoryContext } from "./context.ts";
import { deleteContent } from "./delete.ts";
import { pauseFor } from "./gate.ts";
import { fetchManifest, type FetchedManifest } from "./manifest.ts";
import { putManifest } from "./push-manifest.ts";
import { RegistryError } from "./registry-error.ts";
import { backoffMs } from "./retry-policy.ts";

// The tag that stands in for the referrers API where a registry has none (distribution-spec, "Referrers Tag Schema"): an
// index of what refers to a manifest, which those who push and delete referrers keep.

/** The list under the tag, each referrer once; what is there and is no list says nothing of referrers. */
export async function taggedReferrers(
  context: RepositoryContext,
  subject: Digest,
  options: CallOptions,
): Promise<readonly Descriptor[]> {
  try {
    const found = await fetchTagged(context, subject, options);
    return found?.document.kind === "index" ? eachOnce(found.document.index.manifests) : [];
  } catch (error) {
    if (error instanceof FormatError) return [];
    throw error;
  }
}

/** @throws {RegistryError} `MANIFEST_INVALID` where something else lies under the tag, which is left as it is */
export async function addTaggedReferrer(
  context: RepositoryContext,
  referrer: Descriptor,
  subject: Digest,
  options: CallOptions,
): Promise<void> {
  await change(context, subject, options, (present) =>
    present.some(({ digest }) => digest === referrer.digest) ? present : [...present, referrer],
  );
}

export async function removeTaggedReferrer(
  context: RepositoryContext,
  referrer: Descriptor,
  subject: Digest,
  options: CallOptions,
): Promise<void> {
  await change(context, subject, options, (present) =>
    present.filter(({ digest }) => digest !== referrer.digest),
  );
}

const ATTEMPTS = 10;

/**
 * Writes a changed list, and reads it again after that: two who write at once would lose the work of one. Those of this
 * client wait for one another. For others there is `If-Match`, where the registry knows of it.
 */
async function change(
  context: RepositoryContext,
  subject: Digest,
  options: CallOptions,
  changed: (present: readonly Descriptor[]) => readonly Descriptor[],
): Promise<void> {
  const tag = referrersTag(subject);
  await context.line.turn(`${context.base} ${tag}`, async () => {
    let replaced: Descriptor | undefined;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const found = await fetchTagged(context, subject, options);
      const index = indexOf(found, tag);
      const wanted = changed(eachOnce(index.manifests));
      if (isSame(wanted, index.manifests)) {
        if (replaced !== undefined) await collect(context, replaced, options);
        return;
      }
      const bytes = encodeJson({ ...index, mediaType: MediaType.ociIndex, manifests: wanted });
      const list = { mediaType: MediaType.ociIndex, digest: digestOf(bytes), size: bytes.byteLength };
      const condition = found === undefined ? "absent" : found.etag;
      const answer = await putManifest(context, list, bytes, tag, options, condition);
      if (answer.status === 412) await pauseFor(backoffMs(attempt, context.line.retry), options.signal);
      else replaced = found?.descriptor;
    }
    throw new RegistryError("UNAVAILABLE", `Others write ${tag} at the same time; the change is not in it.`, {
      hint: "Push it again.",
    });
  });
}

async function fetchTagged(
  context: RepositoryContext,
  subject: Digest,
  options: CallOptions,
): Promise<FetchedManifest | undefined> {
  try {
    return await fetchManifest(context, referrersTag(subject), options);
  } catch (error) {
    if (error instanceof RegistryError && error.status === 404) return undefined;
    throw error;
  }
}

function indexOf(found: FetchedManifest | undefined, tag: string): Index {
  if (found === undefined) return { schemaVersion: 2, manifests: [] };
  if (found.document.kind === "index") return found.document.index;
  throw new RegistryError(
    "MANIFEST_INVALID",
    `${tag} should be a list of referrers, but an image lies there; it is left as it is.`,
    { hint: "Remove or rename that tag, and push the referrer again." },
  );
}

function eachOnce(manifests: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map(manifests.toReversed().map((it) => [it.digest, it])).values()].toReversed();
}

function isSame(a: readonly Descriptor[], b: readonly Descriptor[]): boolean {
  return a.length === b.length && a.every(({ digest }, at) => digest === b[at]?.digest);
}

// Registries that do not let us delete: asked once.
const keepers = new WeakSet<RegistryLine>();

/** Deletes a list that nothing names any more. It is only in the way: where that is not allowed, it stays. */
async function collect(
  context: RepositoryContext,
  replaced: Descriptor,
  options: CallOptions,
): Promise<void> {
  if (keepers.has(context.line)) return;
  try {
    await deleteContent(context, replaced, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (!(error instanceof RegistryError)) throw error;
    // What passes, such as a cut connection, says nothing of the next time.
    if (error.status !== undefined && error.status >= 400 && error.status < 500) keepers.add(context.line);
  }
}
