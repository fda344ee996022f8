import { credentialKind } from "./log.ts";
import type { Call } from "./call.ts";
import { Refusal, refusalReply, type Reply } from "./reply.ts";

/** The query by which a URL of the storage says that it was given out here. */
const SIGNATURE = "signature";

export function isSigned(call: Call, signature: string): boolean {
  return call.method === "GET" && call.query.get(SIGNATURE) === signature;
}

/** What a credential gets there; the words are Azure's, S3 and CloudFront have others. */
export function credentialRefusal(call: Call): Reply | undefined {
  if (credentialKind(call.headers) === "none") return undefined;
  const message = "Authentication information is not given in the correct format.";
  return refusalReply(new Refusal(400, "UNAUTHORIZED", message));
}

/** Sends the client to the storage for a blob that it may have. */
export async function redirectToStorage(call: Call, reply: Reply, signature: string): Promise<Reply> {
  const isBlob = /\/blobs\/[^/]+$/.test(call.path);
  if (!isBlob || call.method !== "GET" || reply.status >= 300 || isSigned(call, signature)) return reply;
  if (reply.body !== undefined && !(reply.body instanceof Uint8Array)) {
    await reply.body[Symbol.asyncIterator]().return?.();
  }
  const location = new URL(call.path, otherOrigin(call.origin));
  location.searchParams.set(SIGNATURE, signature);
  return { status: 307, headers: { location: location.href, "content-length": "0" } };
}

/** This server under another name of this machine: an origin that no credential is for. */
function otherOrigin(origin: string): string {
  const url = new URL(origin);
  url.hostname = url.hostname === "localhost" ? "127.0.0.1" : "localhost";
  return url.origin;
}
