import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { CallOptions } from "../store/store.ts";
import type { RepositoryContext } from "./context.ts";
import { exchange } from "./exchange.ts";
import { drain } from "./http.ts";
import { RegistryError } from "./registry-error.ts";

/** A blob that is known by its digest alone, with the size that the registry tells; what comes is held against it. */
export async function describeBlob(
  context: RepositoryContext,
  digest: Digest,
  options: CallOptions,
): Promise<Descriptor> {
  const answer = await exchange(context.line, {
    method: "HEAD",
    url: `${context.base}/blobs/${digest}`,
    permission: { repository: context.repository, scopes: context.pull },
    expect: [200],
    subject: "blob",
    signal: options.signal,
  });
  await drain(answer);
  const length = answer.headers.get("content-length") ?? "";
  if (/^\d{1,15}$/.test(length))
    return { mediaType: "application/octet-stream", digest, size: Number(length) };
  throw new RegistryError("REGISTRY_PROTOCOL", `The registry does not tell the size of ${digest}.`, {
    method: "HEAD",
    url: answer.url,
    status: answer.status,
  });
}
