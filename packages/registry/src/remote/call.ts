import type { Authorizer, Permission } from "./authorizer.ts";
import type { RegistryEvent } from "./events.ts";
import type { Subject } from "./failure.ts";
import type { Gate } from "./gate.ts";
import type { HttpRequest, HttpResponse, TlsOptions, Transport } from "./http.ts";
import type { RetryOptions } from "./retry-policy.ts";
import type { TimeLimits } from "./watchdog.ts";

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
  /**
   * `false`: a failure is final here, because the caller knows better how to try again; `"once"`: there is another way, so
   * it is not tried for long.
   */
  readonly repeat?: boolean | "once";
  /** Nothing depends on it: what a refusal demands is not asked for, now or with any later token. */
  readonly bestEffort?: boolean;
  /** Instead of the client's own. */
  readonly headersMs?: number;
  /** What an answer tells must be tidied up: after an abort, a request that is under way still gets it. */
  readonly linger?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface CallBody {
  /** Gives the content from its start. */
  open(): Uint8Array | AsyncIterable<Uint8Array>;
  /** Bytes. Absent: nobody knows before the end, and the request says no length (RFC 9112, 7.1). */
  readonly size?: number;
  /** `false`: what was read once is gone. */
  canReopen(): boolean;
  /** Told of chunks that nobody looks at any more. */
  readonly onSent?: (chunk: Uint8Array) => void;
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
  /** The limit that is the host's own. */
  connectLimitOf(url: string): Pick<HttpRequest, "connectTimeoutMs">;
  /** What the user wants to be sent to that host. */
  headersFor(url: string): Readonly<Record<string, string>>;
  /** Takes note of who answered, if it was the registry. */
  answeredBy(url: string, address: string | undefined): void;
  /** The address that the registry answered from, as far as that is told: of several, a public one. */
  answerer(): string | undefined;
  /**
   * Whether a URL that a server gave must not lead to a private address: the registry itself has none.
   *
   * @param byPublic - a public server gave it, whatever the registry is
   */
  publicOnly(url: string, byPublic?: "by-public"): boolean;
  readonly limits: TimeLimits;
  readonly retry: RetryOptions;
  readonly onEvent: (event: RegistryEvent) => void;
  /** @param code - absent where the words are the registry's own */
  warn(text: string, code?: string): void;
  readonly now: () => number;
}
