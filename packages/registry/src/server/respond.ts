import type { ServerResponse } from "node:http";
import type { Reply } from "./reply.ts";

/**
 * Writes a reply to its connection.
 *
 * @param onSent - told of the bytes of the body as they go out
 */
export async function respond(
  reply: Reply,
  response: ServerResponse,
  onSent: (bytes: number) => void,
): Promise<void> {
  const { body } = reply;
  response.writeHead(reply.status, { ...reply.headers });
  if (response.req.method === "HEAD" || body === undefined) {
    response.end();
  } else if (body instanceof Uint8Array) {
    onSent(body.byteLength);
    response.end(body);
  } else {
    for await (const chunk of body) {
      if (chunk.byteLength === 0) continue;
      await written(response, chunk);
      onSent(chunk.byteLength);
    }
    response.end();
  }
}

/** Resolves once the chunk has left: what a fault cuts off behind it has been preceded by exactly this. */
function written(response: ServerResponse, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const onClose = (): void => reject(new Disconnected());
    if (response.destroyed) return onClose();
    response.once("close", onClose);
    response.write(chunk, (error) => {
      response.off("close", onClose);
      if (error) reject(new Disconnected());
      else resolve();
    });
  });
}

/** The client went away. */
export class Disconnected extends Error {}
