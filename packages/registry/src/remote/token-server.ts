import type { Credential } from "../auth/credential.ts";
import { secretsOf } from "../auth/credential.ts";
import {
  planTokenRequests,
  readToken,
  tokenAnswerLimit,
  type Token,
  type TokenRequest,
} from "../auth/token.ts";
import type { RegistryEvent } from "./events.ts";
import { failureOf } from "./failure.ts";
import { withBody, type HttpResponse, type ReadResponse, type TlsOptions, type Transport } from "./http.ts";
import { describeRefusal } from "./location.ts";
import { isRedirect, planRedirect } from "./redirect.ts";
import { RegistryError } from "./registry-error.ts";
import { askPersistently } from "./repetition.ts";
import type { RetryOptions } from "./retry-policy.ts";
import { watched, type TimeLimits } from "./watchdog.ts";

export interface TokenServerOptions {
  readonly transport: Transport;
  readonly tlsOf: (url: string) => TlsOptions | undefined;
  readonly publicOnly: (url: string) => boolean;
  readonly limits: TimeLimits;
  readonly retry: RetryOptions;
  readonly now: () => number;
  /** Told of what is asked again. */
  readonly onEvent?: (event: RegistryEvent) => void;
}

/** Gets a token. The realm has been judged; a failed request is never remembered. */
export async function fetchToken(
  options: TokenServerOptions,
  realm: string,
  service: string | undefined,
  scopes: readonly string[],
  credential: Credential | undefined,
  signal: AbortSignal,
): Promise<Token> {
  const secrets = secretsOf(credential);
  const requests = planTokenRequests({
    realm,
    scopes,
    ...(service === undefined ? {} : { service }),
    ...(credential === undefined ? {} : { credential }),
  });
  for (const [index, request] of requests.entries()) {
    const ask = async (): Promise<ReadResponse> =>
      await withBody(await follow(options, request, signal), tokenAnswerLimit);
    const answer = await askPersistently(request, ask, { ...options, signal });
    if (answer.status === 200) return tokenOf(answer.bytes, request);
    const isLast = index === requests.length - 1;
    if (isLast || !request.unlessStatus.includes(answer.status)) {
      throw await failureOf(answer, request, "token", secrets);
    }
    answer.cancel();
  }
  throw new RegistryError("TOKEN_INVALID", "The token server was not asked.", { url: realm });
}

function tokenOf(bytes: Uint8Array | undefined, request: TokenRequest): Token {
  const token = bytes === undefined ? "large" : readToken(bytes);
  if (typeof token === "object") return token;
  const { host } = new URL(request.url);
  throw new RegistryError("TOKEN_INVALID", describe(token, host), {
    method: request.method,
    url: request.url,
    status: 200,
    hint: "A proxy or a login page may stand between here and the token server.",
  });
}

function describe(fault: "large" | "malformed" | "none", host: string): string {
  switch (fault) {
    case "large":
      return `The token server ${host} answers with more than ${tokenAnswerLimit} bytes.`;
    case "malformed":
      return `The answer of the token server ${host} is not one.`;
    case "none":
      return `The answer of the token server ${host} has no token in it.`;
  }
}

/** A redirected question loses its login on another origin; one that holds a secret in its body is not sent on at all. */
async function follow(
  options: TokenServerOptions,
  request: TokenRequest,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const visited = [request.url];
  let url = request.url;
  let { authorization } = request;
  for (;;) {
    const tls = options.tlsOf(url);
    const publicOnly = options.publicOnly(url);
    const response = await watched(
      options.transport,
      {
        method: request.method,
        url,
        headers: {
          Accept: "application/json",
          ...(authorization === undefined ? {} : { Authorization: authorization }),
          ...(request.form === undefined ? {} : { "Content-Type": "application/x-www-form-urlencoded" }),
        },
        ...(request.form === undefined ? {} : { body: Buffer.from(request.form) }),
        ...(tls === undefined ? {} : { tls }),
        ...(publicOnly ? { publicOnly } : {}),
        signal,
      },
      options.limits,
    );
    if (!isRedirect(response.status)) return response;
    response.cancel();
    const redirect = planRedirect(
      { method: request.method, url, hasBody: request.form !== undefined, address: response.address },
      response.status,
      response.headers.get("location"),
      visited,
    );
    if (redirect.kind === "refused" || request.method === "POST") {
      const why =
        redirect.kind === "refused" && redirect.reason !== "loop" && redirect.reason !== "body"
          ? describeRefusal(redirect.reason)
          : "is not followed";
      throw new RegistryError("REDIRECT_REFUSED", `The token server answers with a redirect that ${why}.`, {
        method: request.method,
        url,
        status: response.status,
      });
    }
    if (!redirect.sameOrigin) authorization = undefined;
    url = redirect.url;
    visited.push(url);
  }
}
