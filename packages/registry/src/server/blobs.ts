import type { Digest } from "../oci/digest.ts";
import { methodNotAllowed, type Call } from "./call.ts";
import { emptyReply, Refusal, type Reply } from "./reply.ts";
import type { Repository } from "./repository.ts";

/** `/v2/<name>/blobs/<digest>`: distribution-spec, "Pulling blobs" and "Deleting Blobs". */
export async function answerBlob(call: Call, repository: Repository, digest: Digest): Promise<Reply> {
  if (call.method === "DELETE") {
    if (!(await repository.removeBlob(digest))) throw unknownBlob(digest);
    return emptyReply(202);
  }
  if (call.method !== "GET" && call.method !== "HEAD") throw methodNotAllowed(call, "GET", "HEAD", "DELETE");
  const blob = await repository.blob(digest);
  if (blob === undefined) throw unknownBlob(digest);
  const etag = `"${digest}"`;
  const headers = {
    "accept-ranges": "bytes",
    "content-type": "application/octet-stream",
    "docker-content-digest": digest,
    etag,
  };
  const range = rangeOf(call, etag, blob.size);
  if (range === undefined) {
    return {
      status: 200,
      headers: { ...headers, "content-length": String(blob.size) },
      ...(call.method === "HEAD" ? {} : { body: blob.read() }),
    };
  }
  const { start, end } = range;
  return {
    status: 206,
    headers: {
      ...headers,
      "content-length": String(end - start),
      "content-range": `bytes ${start}-${end - 1}/${blob.size}`,
    },
    ...(call.method === "HEAD" ? {} : { body: blob.read(start, end) }),
  };
}

/**
 * The one range that is asked for (RFC 9110, section 14). What is not a range of bytes, and several ranges, are ignored as
 * the RFC allows.
 *
 * @throws {Refusal} 416 for a range that begins behind the end
 */
function rangeOf(
  call: Call,
  etag: string,
  size: number,
): { readonly start: number; readonly end: number } | undefined {
  const condition = call.headers["if-range"];
  if (condition !== undefined && condition !== etag) return undefined;
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(call.headers.range ?? "");
  const [, first = "", last = ""] = match ?? [];
  if (first === "" && last === "") return undefined;
  if (first !== "" && last !== "" && Number(last) < Number(first)) return undefined;
  const start = first === "" ? Math.max(size - Number(last), 0) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(Number(last) + 1, size);
  if (start >= end) {
    throw new Refusal(416, "SIZE_INVALID", `The blob has ${size} bytes.`, {
      headers: { "content-range": `bytes */${size}` },
    });
  }
  return { start, end };
}

function unknownBlob(digest: Digest): Refusal {
  return new Refusal(404, "BLOB_UNKNOWN", `${digest} is not in this repository.`);
}
