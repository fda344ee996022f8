/** What the client does, for progress and logs. URLs are redacted; there is no secret in any of them. */
export type RegistryEvent = RequestEvent | RetryEvent | TokenEvent | RateLimitEvent | WarningEvent;

/** A request was answered. */
export interface RequestEvent {
  readonly kind: "request";
  readonly method: string;
  readonly url: string;
  readonly status: number;
}

/** A request is tried again after a while. */
export interface RetryEvent {
  readonly kind: "retry";
  readonly method: string;
  readonly url: string;
  readonly waitMs: number;
  /** 1 for the first repetition. */
  readonly attempt: number;
  /** Of the answer; absent where there was none. */
  readonly status?: number;
  /** An error's code. */
  readonly reason: string;
}

/** A token server gave a token. */
export interface TokenEvent {
  readonly kind: "token";
  readonly registry: string;
  /** Redacted. */
  readonly realm: string;
  readonly scopes: readonly string[];
  readonly anonymous: boolean;
}

/** An answer said how much the host may still be asked. */
export interface RateLimitEvent {
  readonly kind: "rate-limit";
  readonly host: string;
  readonly limit: number;
  readonly remaining: number;
  readonly windowSeconds?: number;
}

/** Something the user should know and the work goes on without. Each text is told once. */
export interface WarningEvent {
  readonly kind: "warning";
  /** Empty where it is about none. */
  readonly registry: string;
  readonly message: string;
  /** What programs match on. Absent where the words are the registry's own. */
  readonly code?: string;
}
