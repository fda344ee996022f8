import type { IncomingHttpHeaders } from "node:http";
import { Refusal } from "./reply.ts";

/** A request, without the connection that it came on. */
export interface Call {
  readonly method: string;
  /** As sent, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Path and query, as sent. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: AsyncIterable<Uint8Array>;
  /** `scheme://host:port` under which the client knows this server. */
  readonly origin: string;
}

/** All of a small body. @throws {Refusal} 413 `SIZE_INVALID` beyond the limit */
export async function readBody(call: Call, limit: number): Promise<Uint8Array> {
  const tooLarge = (): Refusal =>
    new Refusal(413, "SIZE_INVALID", `The body has more than the ${limit} bytes that are taken here.`);
  if (Number(call.headers["content-length"] ?? 0) > limit) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of call.body) {
    size += chunk.byteLength;
    if (size > limit) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function methodNotAllowed(call: Call, ...allowed: readonly string[]): Refusal {
  return new Refusal(405, "UNSUPPORTED", `${call.method} is not a method of ${call.path}.`, {
    headers: { allow: allowed.join(", ") },
  });
}
