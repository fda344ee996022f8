import type { RegistryEvent } from "./events.ts";
import { pauseFor } from "./gate.ts";
import type { HttpResponse } from "./http.ts";
import { networkFailure } from "./network-failure.ts";
import { redactUrl } from "./redact.ts";
import { adviceForStatus, backoffMs, parseRetryAfter, type RetryOptions } from "./retry-policy.ts";
import { codeOfStatus } from "./failure.ts";

/** Why a request is sent again, and when. */
export interface Repetition {
  readonly waitMs: number;
  /** 1 for the first. */
  readonly attempt: number;
  readonly failure: { readonly code: string; readonly status?: number };
}

/** What was asked; the URL is redacted before it is told. */
export interface RepeatedRequest {
  readonly method: string;
  readonly url: string;
}

/** Tells that a request is sent again, and waits before it. */
export async function pauseToRepeat(
  { method, url }: RepeatedRequest,
  { waitMs, attempt, failure: { code, status } }: Repetition,
  onEvent: (event: RegistryEvent) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  onEvent({
    kind: "retry",
    method,
    url: redactUrl(url),
    waitMs: Math.round(waitMs),
    attempt,
    ...(status === undefined ? {} : { status }),
    reason: code,
  });
  await pauseFor(waitMs, signal);
}

export interface PersistenceOptions {
  readonly retry?: RetryOptions;
  readonly now?: () => number;
  /** Told of what is asked again. */
  readonly onEvent?: (event: RegistryEvent) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks a server that is no registry, and again after what may pass. The answer to the last question is given back whatever it is.
 *
 * @param ask - asks anew each time
 */
export async function askPersistently<T extends Pick<HttpResponse, "status" | "headers" | "cancel">>(
  request: RepeatedRequest,
  ask: () => Promise<T>,
  { retry = {}, now = Date.now, onEvent = () => {}, signal }: PersistenceOptions,
): Promise<T> {
  const { retries = 5 } = retry;
  for (let attempt = 1; ; attempt += 1) {
    const backoff = backoffMs(attempt - 1, retry);
    let repetition: Repetition;
    try {
      const answer = await ask();
      const { status, headers } = answer;
      if (attempt > retries || adviceForStatus(status) !== "again") return answer;
      answer.cancel();
      const waitMs = parseRetryAfter(headers.get("retry-after"), now()) ?? backoff;
      repetition = { waitMs, attempt, failure: { code: codeOfStatus(status, "token"), status } };
    } catch (error) {
      signal?.throwIfAborted();
      const { failure, repeatable } = networkFailure(error, request);
      if (attempt > retries || !repeatable) throw failure;
      repetition = { waitMs: backoff, attempt, failure };
    }
    await pauseToRepeat(request, repetition, onEvent, signal);
  }
}
