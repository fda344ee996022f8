import type { Authorizer, Permission } from "./authorizer.ts";
import type { RegistryEvent } from "./events.ts";
import { failureOf, type Subject } from "./failure.ts";
import { pauseFor, type Gate } from "./gate.ts";
import { drain, type HttpResponse, type TlsOptions, type Transport } from "./http.ts";
import { describeRefusal } from "./location.ts";
import { networkFailure } from "./network-failure.ts";
import { redactUrl } from "./redact.ts";
import { isRedirect, planRedirect } from "./redirect.ts";
import { RegistryError } from "./registry-error.ts";
import {
  adviceForErrorCode,
  adviceForStatus,
  backoffMs,
  parseRetryAfter,
  type RetryOptions,
} from "./retry-policy.ts";
import { watched, type TimeLimits } from "./watchdog.ts";
import { parseWarnings } from "./warning.ts";

/** A request to a registry: what it is for, and which answers are answers. */
export interface Call {
  readonly method: "DELETE" | "GET" | "HEAD" | "PATCH" | "POST" | "PUT";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: CallBody;
  readonly permission: Permission;
  /** Statuses to give back; others are errors. */
  readonly expect: readonly number[];
  readonly subject: Subject;
  /** The URL is on another server, by the registry's word: it gets no credentials. */
  readonly foreign?: boolean;
  /** `false`: a failure is final here, because the caller knows better how to try again. */
  readonly repeat?: boolean;
  /** Instead of the client's own. */
  readonly headersMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface CallBody {
  /** Gives the content from its start. */
  open(): Uint8Array | AsyncIterable<Uint8Array>;
  /** Bytes. */
  readonly size: number;
  /** `false`: what was read once is gone. */
  canReopen(): boolean;
}

export interface Answer extends HttpResponse {
  /** Where the answer came from, after redirects. */
  readonly url: string;
}

/** What an exchange needs from its client, for one registry. */
export interface Line {
  readonly transport: Transport;
  readonly authorizer: Authorizer;
  /** For another origin, to which a redirect led: knows no login. */
  strangerAt(origin: string): Authorizer;
  gateOf(url: string, method: string): Gate;
  /** Nobody asks that host anything for a while. */
  pause(url: string, ms: number): void;
  tlsOf(url: string): TlsOptions | undefined;
  readonly limits: TimeLimits;
  readonly retry: RetryOptions;
  readonly onEvent: (event: RegistryEvent) => void;
  warn(text: string): void;
  readonly now: () => number;
}

/** Sends a request until there is an answer: with authorization, through redirects, again after what may pass. */
export async function exchange(line: Line, call: Call): Promise<Answer> {
  const { signal } = call;
  const retries = call.repeat === false ? 0 : (line.retry.retries ?? 5);
  const visited: string[] = [call.url];
  let hop: Hop = {
    method: call.method,
    url: call.url,
    ...(call.body === undefined ? {} : { body: call.body }),
    credentials: call.foreign === true ? "none" : "registry",
  };
  let attempt = 0;
  let refusals = 0;
  for (;;) {
    const sent = await sendHop(line, call, hop);
    if (sent.kind === "answer") {
      const { response, header, leave } = sent;
      const { status } = response;
      if ((status === 401 || status === 403) && refusals < 2 && !call.expect.includes(status)) {
        const authority = authorityOf(line, hop);
        const better = await authority?.refused(
          {
            url: hop.url,
            wwwAuthenticate: response.headers.get("www-authenticate"),
            used: header,
            permission: call.permission,
          },
          signal,
        );
        if (better === true && (hop.body?.canReopen() ?? true)) {
          refusals += 1;
          await drain(response);
          leave();
          continue;
        }
      }
      if (isRedirect(status) && !call.expect.includes(status)) {
        await drain(response);
        leave();
        hop = nextHop(hop, response, visited);
        visited.push(hop.url);
        continue;
      }
      if (call.expect.includes(status)) return answerOf(response, hop.url, leave);
    }
    const failure = sent.kind === "answer" ? await failureAfter(line, call, hop, sent) : sent.failure;
    const wait = waitBefore(line, failure, sent, attempt);
    if (wait === undefined || attempt >= retries || !(hop.body?.canReopen() ?? true)) throw failure;
    attempt += 1;
    line.onEvent({
      kind: "retry",
      method: hop.method,
      url: redactUrl(hop.url),
      waitMs: Math.round(wait),
      attempt,
      reason: failure.code,
    });
    await pauseFor(wait, signal);
  }
}

interface Hop {
  readonly method: string;
  readonly url: string;
  readonly body?: CallBody;
  /** Once it has been `stranger`, it never is `registry` again. */
  readonly credentials: "registry" | "stranger" | "none";
}

type Sent =
  | {
      readonly kind: "answer";
      readonly url: string;
      readonly response: HttpResponse;
      readonly header: string | undefined;
      readonly leave: () => void;
    }
  | { readonly kind: "failed"; readonly failure: RegistryError; readonly repeatable: boolean };

async function sendHop(line: Line, call: Call, hop: Hop): Promise<Sent> {
  const { signal } = call;
  const header = await authorityOf(line, hop)?.header(call.permission, signal);
  const leave = await line.gateOf(hop.url, hop.method).enter(signal);
  let sourceError: { readonly error: unknown } | undefined;
  const watchedBody = (content: Uint8Array | AsyncIterable<Uint8Array>): typeof content =>
    content instanceof Uint8Array
      ? content
      : (async function* () {
          try {
            yield* content;
          } catch (error) {
            sourceError = { error };
            throw error;
          }
        })();
  const tls = line.tlsOf(hop.url);
  try {
    const response = await watched(
      line.transport,
      {
        method: hop.method,
        url: hop.url,
        headers: {
          ...call.headers,
          ...(header === undefined ? {} : { Authorization: header }),
          ...contentLength(hop),
        },
        ...(hop.body === undefined ? {} : { body: watchedBody(hop.body.open()) }),
        ...(tls === undefined ? {} : { tls }),
        ...(signal === undefined ? {} : { signal }),
      },
      call.headersMs === undefined ? line.limits : { ...line.limits, headersMs: call.headersMs },
    );
    line.onEvent({
      kind: "request",
      method: hop.method,
      url: redactUrl(hop.url),
      status: response.status,
    });
    for (const text of parseWarnings(response.headers.get("warning"))) line.warn(text);
    return { kind: "answer", url: hop.url, response, header, leave };
  } catch (error) {
    leave();
    signal?.throwIfAborted();
    // What the content's own reading threw is not the network's fault.
    if (sourceError !== undefined) throw sourceError.error;
    const { failure, repeatable } = networkFailure(error, hop);
    return { kind: "failed", failure, repeatable };
  }
}

function contentLength(hop: Hop): Readonly<Record<string, string>> {
  if (hop.body !== undefined) return { "Content-Length": String(hop.body.size) };
  return hop.method === "POST" || hop.method === "PUT" || hop.method === "PATCH"
    ? { "Content-Length": "0" }
    : {};
}

function authorityOf(line: Line, hop: Hop): Authorizer | undefined {
  switch (hop.credentials) {
    case "registry":
      return line.authorizer;
    case "stranger":
      return line.strangerAt(new URL(hop.url).origin);
    case "none":
      return undefined;
  }
}

function nextHop(hop: Hop, response: HttpResponse, visited: readonly string[]): Hop {
  const { method, url, body } = hop;
  const redirect = planRedirect(
    { method, url, hasBody: body !== undefined },
    response.status,
    response.headers.get("location"),
    visited,
  );
  if (redirect.kind === "refused") {
    throw new RegistryError(
      "REDIRECT_REFUSED",
      `${new URL(url).host} ${describeRedirect(redirect.reason)}.`,
      {
        status: response.status,
        method,
        url,
      },
    );
  }
  if (redirect.keepsBody && body?.canReopen() === false) {
    throw new RegistryError(
      "REDIRECT_REFUSED",
      `${new URL(url).host} redirects an upload whose content can be read only once.`,
      { status: response.status, method, url, hint: "Give the content as replayable(() => …)." },
    );
  }
  const kept = hop.credentials === "registry" && !redirect.sameOrigin ? "stranger" : hop.credentials;
  return {
    method: redirect.method,
    url: redirect.url,
    ...(redirect.keepsBody && body !== undefined ? { body } : {}),
    credentials: kept,
  };
}

type RefusedRedirect = Extract<ReturnType<typeof planRedirect>, { kind: "refused" }>["reason"];

function describeRedirect(reason: RefusedRedirect): string {
  if (reason === "loop") return "redirects in a circle, or too often";
  if (reason === "body") return "redirects an upload in a way that would lose its content";
  return `answers with a redirect that ${describeRefusal(reason)}`;
}

/** The place at the gate is given back when the body is done with. */
function answerOf(response: HttpResponse, url: string, leave: () => void): Answer {
  return {
    status: response.status,
    headers: response.headers,
    url,
    body: (async function* () {
      try {
        yield* response.body;
      } finally {
        leave();
      }
    })(),
    cancel: () => {
      response.cancel();
      leave();
    },
  };
}

async function failureAfter(
  line: Line,
  call: Call,
  hop: Hop,
  sent: Extract<Sent, { kind: "answer" }>,
): Promise<RegistryError> {
  const secrets = line.authorizer.secrets();
  try {
    return await failureOf(sent.response, hop, call.subject, secrets);
  } finally {
    sent.leave();
    call.signal?.throwIfAborted();
  }
}

/** Milliseconds; `undefined`: trying again does not help. */
function waitBefore(line: Line, failure: RegistryError, sent: Sent, attempt: number): number | undefined {
  if (sent.kind === "failed") return sent.repeatable ? backoffMs(attempt, line.retry) : undefined;
  const { status, headers } = sent.response;
  const byCode = adviceForErrorCode(failure.code);
  // A code says more than a 400; elsewhere the status is what the server means.
  const final = status >= 500 || status === 401 || status === 403 || status === 404 || status === 405;
  if (byCode === "once" && attempt === 0) return 1000;
  if (adviceForStatus(status) !== "again" && (final || byCode !== "again")) return undefined;
  const asked = parseRetryAfter(headers.get("retry-after"), line.now());
  const wait = asked === undefined ? backoffMs(attempt, line.retry) : asked;
  // One answer of this kind slows all requests to that host.
  if (status === 429 || asked !== undefined) line.pause(sent.url, wait);
  return wait;
}
