import type { Descriptor } from "../oci/descriptor.ts";
import { digestAlgorithm } from "../oci/digest.ts";
import { isReplayable, type CallOptions } from "../store/store.ts";
import { verified } from "../store/verify.ts";
import { blobExists } from "./blob.ts";
import { exchange } from "./exchange.ts";
import { drain } from "./http.ts";
import { pauseFor } from "./gate.ts";
import { describeRefusal, judgeLocation, withQuery } from "./location.ts";
import { redactUrl } from "./redact.ts";
import { RegistryError } from "./registry-error.ts";
import type { RepositoryContext } from "./context.ts";
import { adviceForErrorCode, adviceForSocketError, adviceForStatus, backoffMs } from "./retry-policy.ts";

/** Where an upload goes on. */
export interface UploadSession {
  readonly url: string;
  /** On another origin, to which no credentials go. */
  readonly foreign: boolean;
}

// The registry hashes the whole before it answers.
const CLOSING_MS = 300_000;
const CANCEL_MS = 5_000;

/**
 * Sends a blob unless it is there: POST for a session, then one PUT of the whole.
 *
 * A failed upload is tried again in a new session if the content can be read again. A session that is not closed is
 * given up at the registry, as well as that goes.
 */
export async function pushBlob(
  context: RepositoryContext,
  expected: Descriptor,
  content: AsyncIterable<Uint8Array>,
  options: CallOptions,
): Promise<void> {
  if (await blobExists(context, expected, options)) return;
  const { line } = context;
  const { retries = 5 } = line.retry;
  const body = onceOrAgain(content);
  for (let attempt = 0; ; attempt += 1) {
    const session = await openSession(context, expected, options);
    try {
      await sendWhole(context, session, expected, body, options);
      return;
    } catch (error) {
      await cancelSession(context, session);
      options.signal?.throwIfAborted();
      if (!(error instanceof RegistryError) || attempt >= retries) throw error;
      if (!body.canReopen() || !mayHelp(error, attempt)) throw error;
      const waitMs = backoffMs(attempt, line.retry);
      line.onEvent({
        kind: "retry",
        method: "PUT",
        url: redactUrl(session.url),
        waitMs: Math.round(waitMs),
        attempt: attempt + 1,
        reason: error.code,
      });
      await pauseFor(waitMs, options.signal);
    }
  }
}

function mayHelp(error: RegistryError, attempt: number): boolean {
  if (adviceForErrorCode(error.code) === "new-session") return true;
  if (error.status === undefined) {
    return error.code === "REGISTRY_UNREACHABLE" || adviceForSocketError(error.code) === "again";
  }
  // The token ended in the middle; the session's next request has a new one.
  if (error.status === 401) return attempt === 0;
  return adviceForStatus(error.status) === "again";
}

interface OnceOrAgain {
  open(): AsyncIterable<Uint8Array>;
  canReopen(): boolean;
}

function onceOrAgain(content: AsyncIterable<Uint8Array>): OnceOrAgain {
  let begun = false;
  return {
    // Destroying a reader that has not begun must not end the content.
    open: async function* () {
      begun = true;
      yield* content;
    },
    canReopen: () => !begun || isReplayable(content),
  };
}

export async function openSession(
  context: RepositoryContext,
  expected: Descriptor,
  options: CallOptions,
): Promise<UploadSession> {
  const algorithm = digestAlgorithm(expected.digest);
  const answer = await exchange(context.line, {
    method: "POST",
    url: `${context.base}/blobs/uploads/${algorithm === "sha256" ? "" : `?digest-algorithm=${algorithm}`}`,
    permission: { repository: context.repository, scopes: context.push, long: true },
    expect: [202],
    subject: "repository",
    signal: options.signal,
  });
  await drain(answer);
  return sessionAt(answer.url, answer.headers.get("location"));
}

/** @throws {RegistryError} `REDIRECT_REFUSED` */
export function sessionAt(request: string, location: string | null): UploadSession {
  const destination = judgeLocation(request, location);
  if (destination.kind === "allowed") {
    return { url: destination.url, foreign: !destination.sameOrigin };
  }
  throw new RegistryError(
    "REDIRECT_REFUSED",
    `${new URL(request).host} gives a place for the upload that ${describeRefusal(destination.reason)}.`,
    {
      method: "POST",
      url: request,
      hint:
        destination.reason === "downgrade"
          ? "The registry does not know that it stands behind TLS: have its proxy send X-Forwarded-Proto."
          : "Nothing is sent there. Ask whoever runs the registry.",
    },
  );
}

async function sendWhole(
  context: RepositoryContext,
  session: UploadSession,
  expected: Descriptor,
  body: OnceOrAgain,
  options: CallOptions,
): Promise<void> {
  const answer = await exchange(context.line, {
    method: "PUT",
    url: withQuery(session.url, "digest", expected.digest),
    headers: { "Content-Type": "application/octet-stream" },
    body: {
      open: () => verified(expected, body.open()),
      size: expected.size,
      canReopen: () => body.canReopen(),
    },
    permission: { repository: context.repository, scopes: context.push, long: true },
    expect: [200, 201, 202, 204],
    subject: "upload",
    foreign: session.foreign,
    repeat: false,
    headersMs: CLOSING_MS,
    signal: options.signal,
  });
  await drain(answer);
  if (answer.status === 201 || (await blobExists(context, expected, options))) return;
  throw new RegistryError(
    "BLOB_UPLOAD_INVALID",
    `The registry took ${expected.digest} with ${answer.status}, but does not have it.`,
    { method: "PUT", url: answer.url, status: answer.status },
  );
}

/** Best effort, and not by the caller's signal: after an abort too, no session stays open. */
export async function cancelSession(context: RepositoryContext, session: UploadSession): Promise<void> {
  try {
    const answer = await exchange(context.line, {
      method: "DELETE",
      url: session.url,
      permission: { repository: context.repository, scopes: context.push },
      expect: [200, 202, 204, 404],
      subject: "upload",
      foreign: session.foreign,
      repeat: false,
      signal: AbortSignal.timeout(CANCEL_MS),
    });
    await drain(answer);
  } catch {
    // The registry removes old sessions by itself.
  }
}
