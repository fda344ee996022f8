/** How a server is reached by TLS. Certificates and keys are PEM. */
export interface TlsOptions {
  /** Trusted beside the system's own. */
  readonly ca?: string | readonly string[];
  /** The client's certificate and its key. */
  readonly cert?: string;
  readonly key?: string;
  /** Takes any certificate. Default `false`. */
  readonly insecure?: boolean;
}

/** One request, as it goes over the wire. */
export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  /** Told of chunks of the body that the system has taken over: their memory may be used again. Of which, and when, is open. */
  readonly onSent?: (chunk: Uint8Array) => void;
  readonly tls?: TlsOptions;
  /**
   * A public server sent us there: no connection to a private address, whatever its name says. What goes by a proxy is for the
   * proxy to judge, which resolves the name.
   */
  readonly publicOnly?: boolean;
  /** Milliseconds to connect, TLS included, instead of the transport's own. */
  readonly connectTimeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** An answer whose body is still to be read. */
export interface HttpResponse {
  readonly status: number;
  /** Repeated headers are joined with `, `. */
  readonly headers: { get(name: string): string | null };
  /**
   * The IP address that answered. Absent where a proxy stands before it, or the transport does not tell: a server that has a name
   * is then a public one, from which nothing leads to a private address.
   */
  readonly address?: string;
  /** As it came over the wire. Read it or cancel it: it holds a connection. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Drops what has not been read. */
  cancel(): void;
}

/**
 * One HTTP exchange. Never follows a redirect, never decodes a body, never tries again; rejects only if there is no
 * response. All that is on this side of it, so that it holds for every transport.
 */
export interface Transport {
  (request: HttpRequest): Promise<HttpResponse>;
  /** Closes idle connections. */
  close?(): void;
  /** It heeds `publicOnly`. Names that are not the DNS's, as in tests, are for a transport that does not. */
  heedsPublicOnly?: true;
}

/** All of a small body; stops reading beyond `limit`, and then says so by `undefined`. */
export async function readBody(response: HttpResponse, limit: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body) {
      size += chunk.byteLength;
      if (size > limit) return undefined;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } finally {
    response.cancel();
  }
}

/** A response that may have been read. */
export interface ReadResponse extends HttpResponse {
  /** Of a 200, unless it has more than the limit. */
  readonly bytes?: Uint8Array | undefined;
}

/** A response whose body has been read if it is one that was asked for. */
export async function withBody(response: HttpResponse, limit: number): Promise<ReadResponse> {
  return response.status === 200 ? { ...response, bytes: await readBody(response, limit) } : response;
}

const DRAIN_LIMIT = 64 * 1024;

/** Reads away what little there is, so that the connection can be used again. */
export async function drain(response: HttpResponse): Promise<void> {
  await readBody(response, DRAIN_LIMIT).catch(() => undefined);
}
