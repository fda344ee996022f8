import type { Digest } from "../oci/digest.ts";
import { MediaType } from "../oci/media-type.ts";
import { methodNotAllowed, type Call } from "./call.ts";
import { linkHeader, pageOf } from "./page.ts";
import { jsonReply, Refusal, type Reply } from "./reply.ts";
import type { Repository } from "./repository.ts";

/** `/v2/<name>/tags/list`: distribution-spec, "Listing Tags". */
export async function answerTags(call: Call, repository: Repository): Promise<Reply> {
  if (call.method !== "GET") throw methodNotAllowed(call, "GET");
  if (!(await repository.isKnown())) {
    throw new Refusal(404, "NAME_UNKNOWN", `${repository.name} is not a repository of this registry.`);
  }
  const { items, next } = pageOf(await repository.tags(), (tag) => tag, call.query);
  return jsonReply(200, { name: repository.name, tags: items }, linkHeader(call.path, next));
}

/** `/v2/<name>/referrers/<digest>`: distribution-spec, "Listing Referrers". */
export async function answerReferrers(call: Call, repository: Repository, subject: Digest): Promise<Reply> {
  if (call.method !== "GET") throw methodNotAllowed(call, "GET");
  const all = await repository.referrers(subject);
  const wanted = call.query.get("artifactType");
  const { items, next } = pageOf(
    wanted === null ? all : all.filter(({ artifactType }) => artifactType === wanted),
    ({ digest }) => digest,
    call.query,
  );
  return jsonReply(
    200,
    { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: items },
    {
      "content-type": MediaType.ociIndex,
      ...(wanted === null ? {} : { "oci-filters-applied": "artifactType" }),
      ...linkHeader(call.path, next),
    },
  );
}
