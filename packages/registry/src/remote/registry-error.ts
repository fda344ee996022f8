import { UndockedError, type UndockedErrorOptions } from "../errors.ts";
import { redactUrl } from "./redact.ts";

/** The distribution-spec's codes ("Error Codes"), and UNAVAILABLE and UNKNOWN, which servers send too. */
const specCodes = [
  "BLOB_UNKNOWN",
  "BLOB_UPLOAD_INVALID",
  "BLOB_UPLOAD_UNKNOWN",
  "DENIED",
  "DIGEST_INVALID",
  "MANIFEST_BLOB_UNKNOWN",
  "MANIFEST_INVALID",
  "MANIFEST_UNKNOWN",
  "NAME_INVALID",
  "NAME_UNKNOWN",
  "SIZE_INVALID",
  "TAG_IMMUTABLE",
  "TOOMANYREQUESTS",
  "UNAUTHORIZED",
  "UNAVAILABLE",
  "UNKNOWN",
  "UNSUPPORTED",
] as const;

/** The distribution spec's own codes, and ours for what never reaches a registry. */
export type RegistryErrorCode =
  | (typeof specCodes)[number]
  /** No connection, or it broke. */
  | "REGISTRY_UNREACHABLE"
  /** A hosts.toml or registries.conf that cannot be read. */
  | "HOST_CONFIG_INVALID"
  /** Connected, then silent. */
  | "REGISTRY_TIMEOUT"
  /** The certificate is not one that is trusted. */
  | "REGISTRY_UNTRUSTED"
  /** An answer that the protocol does not have. */
  | "REGISTRY_PROTOCOL"
  /** A Location, a Link or a token server that is not followed. */
  | "REDIRECT_REFUSED"
  /** The token server's answer is none. */
  | "TOKEN_INVALID";

export interface RegistryErrorOptions extends UndockedErrorOptions {
  readonly status?: number;
  readonly method?: string;
  /** Redacted here. */
  readonly url?: string;
}

/** What a registry answered, or why it did not. */
export class RegistryError extends UndockedError<RegistryErrorCode> {
  readonly status?: number;
  readonly method?: string;
  /** Without anything secret. */
  readonly url?: string;

  constructor(code: RegistryErrorCode, message: string, options: RegistryErrorOptions = {}) {
    super(code, message, options);
    if (options.status !== undefined) this.status = options.status;
    if (options.method !== undefined) this.method = options.method;
    if (options.url !== undefined) this.url = redactUrl(options.url);
  }
}

export function isSpecCode(code: string): code is (typeof specCodes)[number] {
  return specCodes.some((known) => known === code);
}
