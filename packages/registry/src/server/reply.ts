import { UndockedError, type UndockedErrorOptions } from "../errors.ts";

/** What goes back to the client, as data: faults are worked into it before it is written. */
export interface Reply {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
}

/** The codes of the distribution-spec, "Error Codes", and 500's. */
export type RegistryCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DENIED"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "SIZE_INVALID"
  | "TOOMANYREQUESTS"
  | "UNAUTHORIZED"
  | "UNAVAILABLE"
  | "UNKNOWN"
  | "UNSUPPORTED";

export interface RefusalOptions extends UndockedErrorOptions {
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request that is answered with an error. */
export class Refusal extends UndockedError<RegistryCode> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: RegistryCode, message: string, options: RefusalOptions = {}) {
    super(code, message, options);
    this.status = status;
    this.headers = options.headers ?? {};
  }
}

/** The error as the specification writes it. */
export function refusalReply({ status, code, message, headers }: Refusal): Reply {
  const reply = jsonReply(status, { errors: [{ code, message }] });
  return { ...reply, headers: { ...reply.headers, ...headers } };
}

export function jsonReply(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  const body = new TextEncoder().encode(JSON.stringify(value));
  return {
    status,
    headers: { "content-type": "application/json", "content-length": String(body.byteLength), ...headers },
    body,
  };
}

export function emptyReply(status: number, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status, headers: { "content-length": "0", ...headers } };
}
