import type { IncomingHttpHeaders } from "node:http";

/** What a client showed of who it is; never the secret. */
export type CredentialKind = "none" | "basic" | "bearer" | "other";

/** A request that was answered, without its secrets. */
export interface LoggedRequest {
  readonly method: string;
  /** With its query, as sent. */
  readonly path: string;
  /** 0: the connection ended before an answer. */
  readonly status: number;
  readonly credential: CredentialKind;
  /** Of the bodies. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** What ended the request, where that was not the client or a refusal: a bug or a full disk. */
  readonly error?: unknown;
}

/** Requests that are kept; of a server that runs for long, the last ones. */
const LOG_LIMIT = 10_000;

export function remember(log: LoggedRequest[], request: LoggedRequest): void {
  log.push(request);
  if (log.length > LOG_LIMIT) log.splice(0, log.length - LOG_LIMIT);
}

export function credentialKind({ authorization }: IncomingHttpHeaders): CredentialKind {
  if (authorization === undefined) return "none";
  const [scheme = ""] = authorization.split(" ", 1);
  switch (scheme.toLowerCase()) {
    case "basic":
      return "basic";
    case "bearer":
      return "bearer";
    default:
      return "other";
  }
}
