import { FormatError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { ManifestDocument } from "../oci/manifest.ts";
import { isIndexType } from "../oci/media-type.ts";
import { referrerOf, subjectOf } from "../oci/referrer.ts";
import { graphDepthLimit, isDocument, readDocument, tooDeep } from "./graph.ts";
import type { BlobSource, CallOptions, ReferrerSource, ReferrersOptions } from "./store.ts";
import { isUnknownContent } from "./unknown-content.ts";

/** Those of some manifests that refer to a subject, for stores that keep no list of them. */
export async function* referrersAmong(
  candidates: Iterable<Descriptor>,
  source: BlobSource,
  subject: Digest,
  options: ReferrersOptions = {},
): AsyncGenerator<Descriptor, void, void> {
  const seen = new Set<Digest>();
  for (const candidate of candidates) {
    if (seen.has(candidate.digest) || !isDocument(candidate)) continue;
    seen.add(candidate.digest);
    const document = await readIfWhole(source, candidate, options);
    if (document === undefined || subjectOf(document)?.digest !== subject) continue;
    const referrer = referrerOf(document, candidate);
    if (options.artifactType === undefined || options.artifactType === referrer.artifactType) yield referrer;
  }
}

/** Whether a manifest has a `subject`. What has a manifest's type and not its form, or is not there, has none. */
export async function isReferrer(source: BlobSource, target: Descriptor): Promise<boolean> {
  if (!isDocument(target)) return false;
  const document = await readIfWhole(source, target, {});
  return document !== undefined && subjectOf(document) !== undefined;
}

async function readIfWhole(
  source: BlobSource,
  target: Descriptor,
  { signal }: CallOptions,
): Promise<ManifestDocument | undefined> {
  const options = signal === undefined ? {} : { signal };
  if (!(await source.exists(target, options))) return undefined;
  try {
    return (await readDocument(source, target, options)).document;
  } catch (error) {
    // Another process may have taken it away meanwhile, as one that empties a cache does.
    if (error instanceof FormatError || isUnknownContent(error)) return undefined;
    throw error;
  }
}

/** Referrers of one image, and of its referrers, that are followed at most. */
const REFERRERS_LIMIT = 10_000;

/**
 * Everything that refers to a root or to a manifest within it, and what refers to that: each once, after its subject.
 */
export async function* referrerGraph(
  root: Descriptor,
  from: BlobSource & ReferrerSource,
  options: CallOptions,
): AsyncGenerator<Descriptor, void, void> {
  const seen = new Set<Digest>();
  const subjects: Descriptor[] = [];
  const enter = async (target: Descriptor, depth: number): Promise<void> => {
    if (depth > graphDepthLimit + 1) throw tooDeep(root);
    if (seen.has(target.digest) || !isDocument(target)) return;
    seen.add(target.digest);
    subjects.push(target);
    if (!isIndexType(target.mediaType)) return;
    const { document } = await readDocument(from, target, options);
    if (document.kind !== "index") return;
    for (const child of document.index.manifests) await enter(child, depth + 1);
  };
  await enter(root, 0);
  const found = new Set<Digest>();
  // It grows while it is gone through.
  for (const subject of subjects) {
    for await (const referrer of from.referrers(subject.digest, options)) {
      if (found.has(referrer.digest) || seen.has(referrer.digest)) continue;
      found.add(referrer.digest);
      if (found.size > REFERRERS_LIMIT) {
        throw new FormatError(
          "MANIFEST_INVALID",
          `${root.digest} has more than ${REFERRERS_LIMIT} referrers; no more are followed.`,
        );
      }
      yield referrer;
      await enter(referrer, 0);
    }
  }
}
