/** What to do after a failure. */
export type RetryAdvice =
  | "never"
  | "again"
  /** Only in a new upload session. */
  | "new-session"
  /** One more time, a second later: the registry has not noticed yet what it was just given. */
  | "once";

const transientStatuses: ReadonlySet<number> = new Set([408, 425, 429, 499]);
const finalServerStatuses: ReadonlySet<number> = new Set([501, 505, 507, 508, 511]);

export function adviceForStatus(status: number): RetryAdvice {
  const again = transientStatuses.has(status) || (status >= 500 && !finalServerStatuses.has(status));
  return again ? "again" : "never";
}

/** @param code - of the error body */
export function adviceForErrorCode(code: string): RetryAdvice {
  switch (code) {
    case "BLOB_UPLOAD_INVALID":
    case "BLOB_UPLOAD_UNKNOWN":
    case "SIZE_INVALID":
      return "new-session";
    case "TOOMANYREQUESTS":
    case "UNKNOWN":
    case "UNAVAILABLE":
      return "again";
    case "MANIFEST_BLOB_UNKNOWN":
      return "once";
    default:
      return "never";
  }
}

const transientSocketErrors: ReadonlySet<string> = new Set([
  "EAI_AGAIN",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EPIPE",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ETIMEDOUT",
  "REGISTRY_TIMEOUT",
]);

/** @param code - of a Node or undici error: certificates and names do not get better by waiting */
export function adviceForSocketError(code: string): RetryAdvice {
  if (/^UND_ERR_(?:SOCKET|\w+_TIMEOUT)$/.test(code)) return "again";
  return transientSocketErrors.has(code) ? "again" : "never";
}

/** Whether the same may go well another time: the line broke, or the registry was busy. */
export function mayPass(error: { readonly code: string; readonly status?: number }): boolean {
  if (error.status !== undefined) return adviceForStatus(error.status) === "again";
  return error.code === "REGISTRY_UNREACHABLE" || adviceForSocketError(error.code) === "again";
}

/** Milliseconds that `Retry-After` asks for, 60,000 at most; `undefined` where it does not tell. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  const value = (header ?? "").trim();
  if (/^\d{1,9}$/.test(value)) return Math.min(Number(value) * 1000, retryAfterLimitMs);
  if (!/^[A-Z][a-z]{2},? /.test(value)) return undefined;
  const wait = Date.parse(value) - now;
  return Number.isNaN(wait) || wait < 0 ? undefined : Math.min(wait, retryAfterLimitMs);
}

const retryAfterLimitMs = 60_000;

export interface RetryOptions {
  /** After the first try. Default 5. */
  readonly retries?: number;
  /** Doubles with each try. Default 500. */
  readonly baseMs?: number;
  /** Default 30,000. */
  readonly capMs?: number;
  /** In [0, 1); for tests. Default `Math.random`. */
  readonly random?: () => number;
}

/** Milliseconds before try `attempt` + 1: the upper half of the exponential step, by chance, so that clients part. */
export function backoffMs(attempt: number, options: RetryOptions = {}): number {
  const { baseMs = 500, capMs = 30_000, random = Math.random } = options;
  const step = Math.min(capMs, baseMs * 2 ** attempt);
  return step * (0.5 + random() / 2);
}
