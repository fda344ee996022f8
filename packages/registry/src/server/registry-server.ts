import type { IncomingMessage, ServerResponse } from "node:http";
import { answering, brokenReply, distribution } from "./answer.ts";
import type { Call } from "./call.ts";
import { directoryStorage } from "./directory-storage.ts";
import { credentialKind, remember, type LoggedRequest } from "./log.ts";
import { memoryStorage } from "./memory-storage.ts";
import { respond } from "./respond.ts";
import { uploads } from "./uploads.ts";

export interface RegistryServerOptions {
  /** A directory, which may have been used before, or `"memory"`. Default: memory. */
  readonly storage?: string;
}

/** A registry that answers requests of a Node HTTP server. */
export interface RegistryServer {
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** What was asked so far, oldest first; the last 10,000. */
  readonly requests: readonly LoggedRequest[];
  /** Uploads that were begun and are neither finished nor cancelled. */
  openUploads(): number;
  /** Forgets the uploads under way. */
  close(): Promise<void>;
}

/** Makes a registry to be put behind an HTTP server of one's own; `startRegistry` brings one. */
export async function registryServer(options: RegistryServerOptions = {}): Promise<RegistryServer> {
  const { storage: place = "memory" } = options;
  const storage = place === "memory" ? memoryStorage() : await directoryStorage(place);
  const sessions = uploads(storage);
  const answer = answering(distribution(storage, sessions));
  const requests: LoggedRequest[] = [];

  return {
    async handle(request, response) {
      const { call, received } = callOf(request);
      let sent = 0;
      let failure: { readonly error?: unknown } = {};
      try {
        const reply = await answer(call);
        sent = await respond(reply, response);
      } catch (error) {
        // A client that went away is no failure of ours.
        if (!request.destroyed || !isDisconnect(error)) failure = { error };
        if (response.headersSent || response.destroyed) response.destroy();
        else await respond(brokenReply(), response);
      }
      remember(requests, {
        method: call.method,
        path: request.url ?? "",
        status: request.socket.destroyed && !response.writableFinished ? 0 : response.statusCode,
        credential: credentialKind(request.headers),
        bytesReceived: received(),
        bytesSent: sent,
        ...failure,
      });
    },
    requests,
    openUploads: () => sessions.size(),
    close: () => sessions.discardAll(),
  };
}

function callOf(request: IncomingMessage): { readonly call: Call; readonly received: () => number } {
  const [path = "", query = ""] = splitOnce(request.url ?? "/", "?");
  let received = 0;
  const body = async function* (): AsyncGenerator<Uint8Array, void, void> {
    const chunks: AsyncIterable<Uint8Array> = request;
    for await (const chunk of chunks) {
      received += chunk.byteLength;
      yield chunk;
    }
  };
  const scheme = "encrypted" in request.socket ? "https" : "http";
  const call: Call = {
    method: request.method ?? "GET",
    path,
    query: new URLSearchParams(query),
    headers: request.headers,
    body: body(),
    origin: `${scheme}://${request.headers.host ?? "localhost"}`,
  };
  return { call, received: () => received };
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function isDisconnect(error: unknown): boolean {
  const codes: readonly unknown[] = ["ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE", "EPIPE", "ABORT_ERR"];
  return error instanceof Error && "code" in error && codes.includes(error.code);
}
