import { repositoryScope } from "../auth/scope.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { isIndexType, isManifestType } from "../oci/media-type.ts";
import type { CallOptions } from "../store/store.ts";
import type { RepositoryContext } from "./context.ts";
import { exchange } from "./exchange.ts";
import { drain } from "./http.ts";
import { encodeReference } from "./manifest.ts";

/**
 * Deletes a manifest or a blob by its descriptor, or a tag.
 *
 * @returns whether it was there
 * @throws {RegistryError} `UNSUPPORTED` where the registry does not delete
 */
export async function deleteContent(
  context: RepositoryContext,
  target: Descriptor | string,
  options: CallOptions,
): Promise<boolean> {
  const isManifest =
    typeof target === "string" || isManifestType(target.mediaType) || isIndexType(target.mediaType);
  const name = typeof target === "string" ? encodeReference(target) : target.digest;
  const answer = await exchange(context.line, {
    method: "DELETE",
    url: `${context.base}/${isManifest ? "manifests" : "blobs"}/${name}`,
    permission: {
      repository: context.repository,
      // Asked for here and nowhere else: some servers refuse the whole token for it.
      scopes: [repositoryScope(context.repository, "delete", "pull")],
    },
    expect: [200, 202, 204, 404],
    subject: isManifest ? "manifest" : "blob",
    signal: options.signal,
  });
  await drain(answer);
  return answer.status !== 404;
}
