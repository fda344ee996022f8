import type { Descriptor } from "../oci/descriptor.ts";
import { digestAlgorithm } from "../oci/digest.ts";
import { isReplayable, type CallOptions, type PushOptions } from "../store/store.ts";
import { verified } from "../store/verify.ts";
import { blobExists } from "./blob.ts";
import type { Answer } from "./call.ts";
import { exchange } from "./exchange.ts";
import { drain } from "./http.ts";
import { firstChunkSize, isTooLarge, sendChunks } from "./chunked-upload.ts";
import { closeFilled, closeSession } from "./close-session.ts";
import {
  cancelSession,
  openSession,
  sessionAfter,
  sessionCall,
  type UploadSession,
} from "./upload-session.ts";
import { takeSession } from "./mount.ts";
import { RegistryError } from "./registry-error.ts";
import { pauseToRepeat } from "./repetition.ts";
import type { RegistryLine, RepositoryContext } from "./context.ts";
import { adviceForErrorCode, backoffMs, mayPass } from "./retry-policy.ts";

export interface UploadOptions {
  /**
   * Bytes of a piece (PATCH). Default: a blob goes in one request, which works everywhere; and in pieces only to a registry
   * that refuses that as too large. What a registry refuses as a piece goes in halves of it, down to 64 KiB.
   */
  readonly chunkSize?: number;
}

/**
 * Sends a blob unless it is there, which is asked where it is not known: POST for a session, then one PUT of the whole.
 *
 * A failed upload is tried again in a new session if the content can be read again. A session that is not closed is
 * given up at the registry, as well as that goes.
 */
export async function pushBlob(
  context: RepositoryContext,
  expected: Descriptor,
  content: AsyncIterable<Uint8Array>,
  upload: UploadOptions,
  options: PushOptions,
): Promise<void> {
  if (options.known !== "absent" && (await blobExists(context, expected, options))) return;
  const { line } = context;
  const { retries = 5 } = line.retry;
  const isVerified = isReplayable(content) && content.verified === expected.digest;
  const body = onceOrAgain(content, (chunks) => (isVerified ? chunks : verified(expected, chunks)));
  const isWholeRefused = expected.size >= (refusedWholes.get(line) ?? Infinity);
  let chunkSize = upload.chunkSize ?? (isWholeRefused ? firstChunkSize(expected.size) : undefined);
  for (let attempt = 0; ; attempt += 1) {
    const session =
      takeSession(context, options.upload) ??
      (await openSession(context, digestAlgorithm(expected.digest), options));
    try {
      await send(context, session, expected, body, chunkSize, options);
      return;
    } catch (error) {
      await cancelSession(context, session);
      options.signal?.throwIfAborted();
      if (!(error instanceof RegistryError) || !body.canReopen()) throw error;
      const inPieces = isTooLarge(error) && chunkSize === undefined;
      if (!inPieces && (attempt >= retries || !mayHelp(error, attempt))) throw error;
      if (inPieces) {
        chunkSize = firstChunkSize(expected.size);
        refusedWholes.set(line, Math.min(expected.size, refusedWholes.get(line) ?? Infinity));
      }
      // A request of another kind need not wait for what made the last one fail.
      const waitMs = inPieces ? 0 : backoffMs(attempt, line.retry);
      const request = { method: "PUT", url: session.url };
      const repetition = { waitMs, attempt: attempt + 1, failure: error };
      await pauseToRepeat(request, repetition, line.onEvent, options.signal);
      // It may have been the answer that was lost.
      if (error.status === undefined && (await blobExists(context, expected, options))) return;
    }
  }
}

/** The smallest blob that a registry has refused as a whole: as large ones go to it in pieces. */
const refusedWholes = new WeakMap<RegistryLine, number>();

function mayHelp(error: RegistryError, attempt: number): boolean {
  if (isTooLarge(error)) return false;
  if (adviceForErrorCode(error.code) === "new-session") return true;
  // The token ended in the middle; the session's next request has a new one.
  return error.status === 401 ? attempt === 0 : mayPass(error);
}

/** Of an upload whose content is still being made. */
export interface StreamOptions extends CallOptions {
  /** Told of chunks of the content that nobody looks at any more, so that their memory can be used again. Some are never told of. */
  readonly onSent?: (chunk: Uint8Array) => void;
}

/**
 * Sends content while it is made, in one PATCH without a length, as docker does. Nothing of it is kept here: where the request
 * fails, the upload is given up, and it is for the caller to send the content once it is whole.
 *
 * @param describe - asked for at the content's end
 */
export async function pushStream(
  context: RepositoryContext,
  content: AsyncIterable<Uint8Array>,
  describe: () => Promise<Descriptor>,
  options: StreamOptions,
): Promise<void> {
  const opened = await openSession(context, "sha256", options);
  let isSent = false;
  const sending = async function* (): AsyncGenerator<Uint8Array, void, void> {
    yield* content;
    isSent = true;
  };
  try {
    const answer = await exchange(context.line, {
      ...sessionCall(context, opened),
      method: "PATCH",
      url: opened.url,
      headers: { "Content-Type": "application/octet-stream" },
      body: {
        open: sending,
        canReopen: () => false,
        ...(options.onSent === undefined ? {} : { onSent: options.onSent }),
      },
      expect: [200, 201, 202, 204],
      signal: options.signal,
    });
    await drain(answer);
    // Else it might read no more, and who makes the content would wait for it for ever.
    if (!isSent) throw answeredEarly(answer);
    const session = sessionAfter(opened, answer);
    await closeFilled(context, session, await describe(), options);
  } catch (error) {
    await cancelSession(context, opened);
    throw error;
  }
}

function answeredEarly({ status, url }: Answer): RegistryError {
  return new RegistryError(
    "REGISTRY_PROTOCOL",
    `${new URL(url).host} answers an upload with ${status} before it has all of it.`,
    { method: "PATCH", url, status },
  );
}

interface OnceOrAgain {
  readonly open: () => AsyncIterable<Uint8Array>;
  readonly canReopen: () => boolean;
}

/** @param pass - what becomes of each reading */
function onceOrAgain(
  content: AsyncIterable<Uint8Array>,
  pass: (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
): OnceOrAgain {
  let begun = false;
  return {
    // Destroying a reader that has not begun must not end the content.
    open: async function* () {
      begun = true;
      yield* pass(content);
    },
    canReopen: () => !begun || isReplayable(content),
  };
}

async function send(
  context: RepositoryContext,
  session: UploadSession,
  expected: Descriptor,
  body: OnceOrAgain,
  chunkSize: number | undefined,
  options: CallOptions,
): Promise<void> {
  const whole = { ...body, size: expected.size };
  if (chunkSize === undefined) {
    await closeSession(context, session, expected, options, whole);
    return;
  }
  const sent = await sendChunks(context, session, whole.open(), chunkSize, options);
  await closeFilled(context, sent, expected, options);
}
