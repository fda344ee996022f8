import { encodeJson } from "../oci/json.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { parseManifestDocument } from "../oci/manifest.ts";
import { MediaType } from "../oci/media-type.ts";
import type { CallOptions, ReferrersOptions } from "../store/store.ts";
import { readUrl, type RepositoryContext } from "./context.ts";
import { pages } from "./listing.ts";
import { withQuery } from "./location.ts";
import { taggedReferrers } from "./tagged-referrers.ts";

/** A list, or one of the ways to say that there is no such thing. */
const answers: readonly number[] = [200, 400, 404, 405];

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
  const wanted = (it: Descriptor): boolean => artifactType === undefined || it.artifactType === artifactType;
  const all = readUrl(context, `referrers/${subject}`);
  const first = artifactType === undefined ? all : withQuery(all, "artifactType", artifactType);
  for await (const { json, answer } of pages(context, first, options, answers, {
    Accept: MediaType.ociIndex,
  })) {
    if (answer.status !== 200) {
      // Whether a tag of a mirror may be believed is another question.
      if (context.mirror !== undefined) return;
      yield* (await taggedReferrers(context, subject, options)).filter(wanted);
      return;
    }
    // Filtered here too: a registry may not do it, or not say so.
    yield* manifestsOf(encodeJson(json)).filter(wanted);
  }
}

/** Whether the registry answers who refers to what by itself. */
export async function hasReferrersApi(
  context: RepositoryContext,
  subject: Digest,
  options: CallOptions,
): Promise<boolean> {
  for await (const { answer } of pages(context, `${context.base}/referrers/${subject}`, options, answers, {
    Accept: MediaType.ociIndex,
  })) {
    return answer.status === 200;
  }
  return false;
}

function manifestsOf(bytes: Uint8Array): readonly Descriptor[] {
  const document = parseManifestDocument(bytes, MediaType.ociIndex);
  return document.kind === "index" ? document.index.manifests : [];
}
