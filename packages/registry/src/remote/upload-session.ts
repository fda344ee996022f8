import type { DigestAlgorithm } from "../oci/digest.ts";
import type { CallOptions } from "../store/store.ts";
import type { RepositoryContext } from "./context.ts";
import type { Answer, Call } from "./call.ts";
import { exchange } from "./exchange.ts";
import { drain } from "./http.ts";
import { describeRefusal, judgeLocation } from "./location.ts";
import { receivedBytes } from "./range.ts";
import { RegistryError } from "./registry-error.ts";

/** Where an upload goes on. */
export interface UploadSession {
  readonly url: string;
  /** On another origin, to which no credentials go. */
  readonly foreign: boolean;
  /** Bytes that a chunk must have at least, but for the last (`OCI-Chunk-Min-Length`). */
  readonly leastChunk?: number;
}

const CANCEL_MS = 5_000;

export async function openSession(
  context: RepositoryContext,
  algorithm: DigestAlgorithm,
  options: CallOptions,
): Promise<UploadSession> {
  const answer = await exchange(context.line, {
    method: "POST",
    url: `${context.base}/blobs/uploads/${algorithm === "sha256" ? "" : `?digest-algorithm=${algorithm}`}`,
    permission: { repository: context.repository, scopes: context.push, long: true },
    expect: [202],
    subject: "repository",
    linger: true,
    signal: options.signal,
  });
  await drain(answer);
  const session = sessionAt(answer);
  if (options.signal?.aborted === true) {
    await cancelSession(context, session);
    options.signal.throwIfAborted();
  }
  return session;
}

/** @throws {RegistryError} `REDIRECT_REFUSED` */
export function sessionAt({ url: request, headers, address }: Answer): UploadSession {
  const destination = judgeLocation(request, headers.get("location"), address);
  if (destination.kind === "allowed") {
    const least = headers.get("oci-chunk-min-length") ?? "";
    return {
      url: destination.url,
      foreign: !destination.sameOrigin,
      ...(/^\d{1,10}$/.test(least) ? { leastChunk: Number(least) } : {}),
    };
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

/** The session after an answer of its own. One that has left the registry's origin never gets credentials again. */
export function sessionAfter(session: UploadSession, answer: Answer): UploadSession {
  if ((answer.headers.get("location") ?? "") === "") return session;
  const next = sessionAt(answer);
  return { ...session, url: next.url, foreign: session.foreign || next.foreign };
}

/** What all requests of a session have in common. */
export function sessionCall(
  context: RepositoryContext,
  session: UploadSession,
): Pick<Call, "foreign" | "permission" | "repeat" | "subject"> {
  return {
    permission: { repository: context.repository, scopes: context.push, long: true },
    subject: "upload",
    foreign: session.foreign,
    repeat: false,
  };
}

/** Bytes that the registry has of an upload; `undefined` where it does not tell. */
export async function receivedSoFar(
  context: RepositoryContext,
  session: UploadSession,
  options: CallOptions,
): Promise<{ readonly received: number | undefined; readonly session: UploadSession }> {
  const answer = await exchange(context.line, {
    ...sessionCall(context, session),
    method: "GET",
    url: session.url,
    expect: [200, 202, 204],
    signal: options.signal,
    repeat: true,
  });
  await drain(answer);
  return {
    received: receivedBytes(answer.headers.get("range")),
    session: sessionAfter(session, answer),
  };
}

/** Best effort, and not by the caller's signal: after an abort too, no session stays open. */
export async function cancelSession(context: RepositoryContext, session: UploadSession): Promise<void> {
  try {
    const answer = await exchange(context.line, {
      ...sessionCall(context, session),
      method: "DELETE",
      url: session.url,
      expect: [200, 202, 204, 404],
      repeat: true,
      // Many registries take it for a deletion, to which nobody has given us the right.
      bestEffort: true,
      signal: AbortSignal.timeout(CANCEL_MS),
    });
    await drain(answer);
  } catch {
    // The registry removes old sessions by itself.
  }
}
