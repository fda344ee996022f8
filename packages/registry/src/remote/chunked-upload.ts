import type { CallOptions } from "../store/store.ts";
import type { RegistryLine, RepositoryContext } from "./context.ts";
import { exchange } from "./exchange.ts";
import { drain } from "./http.ts";
import { RegistryError } from "./registry-error.ts";
import { pauseToRepeat } from "./repetition.ts";
import { backoffMs, mayPass } from "./retry-policy.ts";
import { receivedSoFar, sessionAfter, sessionCall, type UploadSession } from "./upload-session.ts";

/**
 * Sends content in pieces (PATCH), each from the memory of this process. After a cut or a 416 the registry is asked how much
 * it has, and the rest of the piece is sent; after a 413 what is left goes on in smaller pieces.
 *
 * @returns the session, to be closed
 * @throws {RegistryError} `SIZE_INVALID` where pieces of the least size are refused too
 */
export async function sendChunks(
  context: RepositoryContext,
  opened: UploadSession,
  content: AsyncIterable<Uint8Array>,
  chunkSize: number,
  options: CallOptions,
): Promise<UploadSession> {
  const { leastChunk = 0 } = opened;
  let at: Position = { session: opened, received: 0 };
  let size = Math.max(Math.min(chunkSize, pieceSizes.get(context.line) ?? Infinity), leastChunk);
  let held: Uint8Array = new Uint8Array();
  const sendHeld = async (isLast: boolean): Promise<void> => {
    while (held.byteLength >= (isLast ? 1 : size)) {
      const { refused, ...next } = await sendChunk(context, at, held.subarray(0, size), options);
      held = held.subarray(next.received - at.received);
      at = next;
      if (refused === undefined) continue;
      size = smallerThan(refused, leastChunk);
      pieceSizes.set(context.line, size);
    }
  };
  for await (const chunk of inChunks(content, size)) {
    held = held.byteLength === 0 ? chunk : Buffer.concat([held, chunk]);
    await sendHeld(false);
  }
  await sendHeld(true);
  return at.session;
}

/** Of registries that refused larger pieces, what they are offered next. */
const pieceSizes = new WeakMap<RegistryLine, number>();

/** Where an upload is. */
interface Position {
  readonly session: UploadSession;
  /** Bytes that the registry has. */
  readonly received: number;
}

interface RefusedSize {
  readonly bytes: number;
  readonly error: RegistryError;
}

/** @returns where the upload is then: at the chunk's end, unless the size of a request was refused */
async function sendChunk(
  context: RepositoryContext,
  { session: opened, received: start }: Position,
  chunk: Uint8Array,
  options: CallOptions,
): Promise<Position & { readonly refused?: RefusedSize }> {
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
      return { session: sessionAfter(session, answer), received: end };
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof RegistryError)) throw error;
      if (isTooLarge(error)) return { session, received: from, refused: { bytes: end - from, error } };
      if (attempt >= retries || !mayGoOn(error)) throw error;
      const { retry, onEvent } = context.line;
      const waitMs = backoffMs(attempt, retry);
      const request = { method: "PATCH", url: session.url };
      await pauseToRepeat(request, { waitMs, attempt: attempt + 1, failure: error }, onEvent, options.signal);
      const status = await receivedSoFar(context, session, options);
      ({ session } = status);
      // A range that does not tell is one for nothing at all; wrong, it ends in a 416 and a new session.
      const received = status.received ?? (start === 0 ? 0 : undefined);
      if (received === end) return { session, received };
      if (received === undefined || received < start || received > end) throw error;
      from = received;
    }
  }
}

// Who takes less is set up wrongly, and a layer would be tens of thousands of requests.
const SMALLEST_CHUNK = 64 * 1024;

/** Half of what was refused, unless the registry wants more (`OCI-Chunk-Min-Length`). */
function smallerThan({ bytes, error }: RefusedSize, leastChunk: number): number {
  const least = Math.max(leastChunk, SMALLEST_CHUNK);
  if (bytes > least) return Math.max(Math.ceil(bytes / 2), least);
  const { method = "PATCH", url = "" } = error;
  throw new RegistryError(
    "SIZE_INVALID",
    `${new URL(url).host} refuses a request of ${bytes} bytes as too large (413).`,
    {
      status: 413,
      method,
      url,
      cause: error,
      hint:
        leastChunk > SMALLEST_CHUNK
          ? `The registry takes no pieces under ${leastChunk} bytes: have the proxy before it take larger requests.`
          : "No smaller pieces are sent: have the registry, or the proxy before it, take larger requests.",
    },
  );
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
export function isTooLarge({ status }: RegistryError): boolean {
  return status === 413;
}

/** For content whose sender did not ask for pieces: under the 4 MiB that GHCR takes at most. */
export const defaultChunkSize: number = 4_000_000;

/** Of what was refused as a whole. */
export function firstChunkSize(refused: number): number {
  return Math.min(defaultChunkSize, Math.max(Math.ceil(refused / 2), SMALLEST_CHUNK));
}
