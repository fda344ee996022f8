import { isPrivateServer } from "./address.ts";
import type { Authorizer } from "./authorizer.ts";
import type { Call, CallBody, Line } from "./call.ts";
import type { HttpResponse } from "./http.ts";
import { describeRefusal } from "./location.ts";
import { networkFailure } from "./network-failure.ts";
import { foreignText, redactUrl, urlWithoutSecrets } from "./redact.ts";
import { parseRateLimit } from "./rate-limit.ts";
import { planRedirect } from "./redirect.ts";
import { RegistryError } from "./registry-error.ts";
import { parseWarnings } from "./warning.ts";
import { watched } from "./watchdog.ts";

/** One step of a call: the request itself, or where a redirect led. */
export interface Hop {
  readonly method: string;
  readonly url: string;
  readonly body?: CallBody;
  /** Once it has been `stranger`, it never is `registry` again. */
  readonly credentials: "registry" | "stranger" | "none";
  /** A public server has sent us there, or to who did. */
  readonly sent?: "by-public";
}

export type Sent =
  | {
      readonly kind: "answer";
      readonly url: string;
      readonly response: HttpResponse;
      readonly header: string | undefined;
      readonly leave: () => void;
    }
  | { readonly kind: "failed"; readonly failure: RegistryError; readonly repeatable: boolean };

/** One exchange, with authorization. */
export async function sendHop(line: Line, call: Call, hop: Hop): Promise<Sent> {
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
  const publicOnly = line.publicOnly(hop.url, hop.sent);
  using sending = call.linger === true ? lingering(signal) : { signal, [Symbol.dispose]: () => undefined };
  try {
    const response = await watched(
      line.transport,
      {
        method: hop.method,
        url: hop.url,
        headers: {
          ...line.headersFor(hop.url),
          ...call.headers,
          ...(header === undefined ? {} : { Authorization: header }),
          ...contentLength(hop),
        },
        ...(hop.body === undefined ? {} : { body: watchedBody(hop.body.open()) }),
        ...(hop.body?.onSent === undefined ? {} : { onSent: hop.body.onSent }),
        ...(tls === undefined ? {} : { tls }),
        ...line.connectLimitOf(hop.url),
        ...(publicOnly ? { publicOnly } : {}),
        ...(sending.signal === undefined ? {} : { signal: sending.signal }),
      },
      call.headersMs === undefined ? line.limits : { ...line.limits, headersMs: call.headersMs },
    );
    line.answeredBy(hop.url, response.address);
    line.onEvent({
      kind: "request",
      method: hop.method,
      url: redactUrl(shownUrl(line, hop)),
      status: response.status,
    });
    const limit = parseRateLimit((name) => response.headers.get(name));
    if (limit !== undefined) line.onEvent({ kind: "rate-limit", host: new URL(hop.url).host, ...limit });
    for (const text of parseWarnings(response.headers.get("warning")))
      line.warn(foreignText(text, line.authorizer.secrets(), text.length));
    return { kind: "answer", url: hop.url, response, header, leave };
  } catch (error) {
    leave();
    signal?.throwIfAborted();
    // What the content's own reading threw is not the network's fault.
    if (sourceError !== undefined) throw sourceError.error;
    const { failure, repeatable } = networkFailure(error, { method: hop.method, url: shownUrl(line, hop) });
    return { kind: "failed", failure, repeatable };
  }
}

/** For messages and events. */
export function shownUrl({ authorizer }: Line, { url }: Hop): string {
  return urlWithoutSecrets(url, authorizer.secrets());
}

const LINGER_MS = 5_000;

/** A signal that follows another some seconds later. */
function lingering(signal: AbortSignal | undefined): Disposable & { readonly signal: AbortSignal } {
  const late = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const follow = (): void => {
    timer = setTimeout(() => late.abort(signal?.reason), LINGER_MS);
  };
  signal?.addEventListener("abort", follow, { once: true });
  return {
    signal: late.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", follow);
    },
  };
}

function contentLength(hop: Hop): Readonly<Record<string, string>> {
  if (hop.body !== undefined)
    return hop.body.size === undefined ? {} : { "Content-Length": String(hop.body.size) };
  return hop.method === "POST" || hop.method === "PUT" || hop.method === "PATCH"
    ? { "Content-Length": "0" }
    : {};
}

export function authorityOf(line: Line, hop: Hop): Authorizer | undefined {
  switch (hop.credentials) {
    case "registry":
      return line.authorizer;
    case "stranger":
      return line.strangerAt(new URL(hop.url).origin);
    case "none":
      return undefined;
  }
}

export function nextHop(hop: Hop, response: HttpResponse, visited: readonly string[]): Hop {
  const { method, url, body } = hop;
  const redirect = planRedirect(
    { method, url, hasBody: body !== undefined, address: response.address },
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
    ...(isPrivateServer(new URL(url), response.address) ? {} : { sent: "by-public" }),
    ...(hop.sent === undefined ? {} : { sent: hop.sent }),
  };
}

type RefusedRedirect = Extract<ReturnType<typeof planRedirect>, { kind: "refused" }>["reason"];

function describeRedirect(reason: RefusedRedirect): string {
  if (reason === "loop") return "redirects in a circle, or too often";
  if (reason === "body") return "redirects an upload in a way that would lose its content";
  return `answers with a redirect that ${describeRefusal(reason)}`;
}
