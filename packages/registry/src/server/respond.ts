import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Reply } from "./reply.ts";

/** Writes a reply to its connection; gives the bytes of the body that went out. */
export async function respond(reply: Reply, response: ServerResponse): Promise<number> {
  response.writeHead(reply.status, { ...reply.headers });
  const { body } = reply;
  if (response.req.method === "HEAD" || body === undefined) {
    response.end();
    return 0;
  }
  if (body instanceof Uint8Array) {
    response.end(body);
    return body.byteLength;
  }
  let sent = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array, void, void> {
    for await (const chunk of body) {
      sent += chunk.byteLength;
      yield chunk;
    }
  };
  await pipeline(Readable.from(counted(), { objectMode: false }), response);
  return sent;
}
