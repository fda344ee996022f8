import { UndockedError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { parseManifestDocument } from "../oci/manifest.ts";
import { referrerOf, subjectOf } from "../oci/referrer.ts";
import { isDocument } from "../store/graph.ts";
import type { CallOptions, PushOptions } from "../store/store.ts";
import type { RepositoryContext } from "./context.ts";
import { deleteContent } from "./delete.ts";
import { fetchManifest } from "./manifest.ts";
import { pushManifest, pushNamedManifest, type PushedManifest } from "./push-manifest.ts";
import { hasReferrersApi } from "./referrers.ts";
import { addTaggedReferrer, removeTaggedReferrer } from "./tagged-referrers.ts";

/**
 * Where a registry does not keep track of subjects by itself, the tag that stands in for that is kept: of a manifest too
 * that is there, because it may have been pushed by somebody who got no further.
 */
export async function pushWithSubject(
  context: RepositoryContext,
  expected: Descriptor,
  content: AsyncIterable<Uint8Array>,
  options: PushOptions,
): Promise<void> {
  await keepSubject(context, expected, await pushManifest(context, expected, content, options), options);
}

/** The same of a manifest that gets its names at once. */
export async function pushNamedWithSubject(
  context: RepositoryContext,
  expected: Descriptor,
  content: AsyncIterable<Uint8Array>,
  tags: readonly string[],
  options: CallOptions,
): Promise<void> {
  const pushed = await pushNamedManifest(context, expected, content, tags, options);
  await keepSubject(context, expected, pushed, options);
}

async function keepSubject(
  context: RepositoryContext,
  expected: Descriptor,
  { bytes, noticesSubjects }: PushedManifest,
  options: CallOptions,
): Promise<void> {
  if (noticesSubjects === true) return;
  const document = parseManifestDocument(bytes, expected.mediaType);
  const subject = subjectOf(document);
  if (subject === undefined) return;
  if (noticesSubjects === "not told" && (await hasReferrersApi(context, subject.digest, options))) return;
  await addTaggedReferrer(context, referrerOf(document, expected), subject.digest, options);
}

/** What a tag says about a manifest that is deleted must go too, where it stands in for the referrers API. */
export async function deleteWithSubject(
  context: RepositoryContext,
  target: Descriptor | string,
  options: CallOptions,
): Promise<boolean> {
  const subject =
    typeof target === "string" || !isDocument(target)
      ? undefined
      : await fetchSubject(context, target, options);
  const wasThere = await deleteContent(context, target, options);
  if (wasThere && subject !== undefined && typeof target !== "string") {
    await removeTaggedReferrer(context, target, subject, options);
  }
  return wasThere;
}

/** `undefined` too where the manifest is not there, or is none: it can be deleted all the same. */
async function fetchSubject(
  context: RepositoryContext,
  target: Descriptor,
  options: CallOptions,
): Promise<Digest | undefined> {
  try {
    const { document } = await fetchManifest(context, target.digest, options);
    return subjectOf(document)?.digest;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof UndockedError) return undefined;
    throw error;
  }
}
