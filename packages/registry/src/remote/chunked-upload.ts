import type { CallOptions } from "../store/store.ts";
import type { RepositoryContext } from "./context.ts";
import { exchange } from "./exchange.ts";
import { pauseFor } from "./gate.ts";
import { drain } from "./http.ts";
import { RegistryError } from "./registry-error.ts";
import { backoffMs, mayPass } from "./retry-policy.ts";
import { receivedSoFar, sessionAfter, sessionCall, type UploadSession } from "./upload-session.ts";

/**
 * Sends content in pieces (PATCH), each from the memory of this process. After a cut or a 416 the registry is asked how much
 * it has, and the rest of the piece is sent.
 *
 * @returns the session, to be closed
 */
export async function sendChunks(
  context: RepositoryContext,
  opened: UploadSession,
  content: AsyncIterable<Uint8Array>,
  chunkSize: number,
  options: CallOptions,
): Promise<UploadSession> {
  let session = opened;
  let sent = 0;
  for await (const chunk of inChunks(content, Math.max(chunkSize, opened.leastChunk ?? 0))) {
    session = await sendChunk(context, session, chunk, sent, options);
    sent += chunk.byteLength;
  }
  return session;
}

async function sendChunk(
  context: RepositoryContext,
  opened: UploadSession,
  chunk: Uint8Array,
  start: number,
  options: CallOptions,
): Promise<UploadSession> {
  const { retries = 5 } = context.line.retry;
  const end = start + chunk.byteLength;
  let session = opened;
  let from = start;
  for (let attempt = 0; ; attempt += 1) {
    try {
      const rest = chunk.subarray(from - start);
      const answer = await exchange(context.line, {
        ...sessionCall(context, session),
        method: "PATCH",
        url: session.url,
        headers: { "Content-Type": "application/octet-stream", "Content-Range": `${from}-${end - 1}` },
        body: { open: () => rest, size: rest.byteLength, canReopen: () => true },
        expect: [200, 201, 202, 204],
        signal: options.signal,
      });
      await drain(answer);
      return sessionAfter(session, answer);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof RegistryError) || attempt >= retries || !mayGoOn(error)) throw error;
      await pauseFor(backoffMs(attempt, context.line.retry), options.signal);
      const status = await receivedSoFar(context, session, options);
      ({ session } = status);
      // A range that does not tell is one for nothing at all; wrong, it ends in a 416 and a new session.
      const received = status.received ?? (start === 0 ? 0 : undefined);
      if (received === end) return session;
      if (received === undefined || received < start || received > end) throw error;
      from = received;
    }
  }
}

/** A 416 says that the registry has more or less than we think. */
function mayGoOn(error: RegistryError): boolean {
  return error.status === 416 || mayPass(error);
}

/** Pieces of one size, the last of what is left. */
export async function* inChunks(
  content: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array, void, void> {
  let held: Uint8Array[] = [];
  let length = 0;
  for await (const piece of content) {
    let rest = piece;
    while (length + rest.byteLength >= size) {
      const part = rest.subarray(0, size - length);
      yield Buffer.concat([...held, part]);
      rest = rest.subarray(part.byteLength);
      held = [];
      length = 0;
    }
    // Copied: whoever gave it may use its memory again.
    if (rest.byteLength > 0) held.push(Uint8Array.from(rest));
    length += rest.byteLength;
  }
  if (length > 0) yield Buffer.concat(held);
}

/** Whether a registry refused a request for its size. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof RegistryError && error.status === 413;
}

/** For content whose sender did not ask for pieces: under the 4 MiB that GHCR takes at most. */
export const defaultChunkSize: number = 4_000_000;
