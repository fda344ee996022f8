import type { HttpRequest, HttpResponse, Transport } from "./http.ts";
import { RegistryError } from "./registry-error.ts";

/** Milliseconds in which a server must show that it goes on. */
export interface TimeLimits {
  /** From the end of the request to the headers of the response. */
  readonly headersMs: number;
  /**
   * In which a body must go on, time that we take ourselves not counted: by 16 KiB a minute or to its end where we read it, by
   * 256 KiB of it where we send it. A byte now and then is no progress.
   */
  readonly idleMs: number;
  /** For a whole operation, with all its repetitions; of a download with the time that its reader takes. Default: none. */
  readonly totalMs?: number;
}

/** Bytes of an answer that are progress; nobody's line is so slow that they take a minute. */
export const LEAST_PROGRESS: number = 16 * 1024;

const PIECE_SIZE = 256 * 1024;

/** One exchange under time limits: neither Node nor node-fetch notices by itself that a server has gone silent. */
export async function watched(
  transport: Transport,
  request: HttpRequest,
  limits: TimeLimits,
): Promise<HttpResponse> {
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let isAnswered = false;
  const disarm = (): void => clearTimeout(timer);
  const arm = (ms: number, what: () => string): void => {
    disarm();
    timer = setTimeout(() => {
      stop.abort(
        new RegistryError("REGISTRY_TIMEOUT", `The registry ${what()} seconds.`, {
          method: request.method,
          url: request.url,
          hint: "Try again; a proxy between here and the registry may hold the connection.",
        }),
      );
    }, ms);
  };
  const awaitHeaders = (): void =>
    arm(limits.headersMs, () => `did not answer for ${limits.headersMs / 1000}`);
  const signal = request.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, request.signal]);

  /** A body that goes on after the answer is of no account. */
  async function* sending(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    disarm();
    for await (const chunk of body) {
      if (!isAnswered) arm(limits.idleMs, () => `took no data for ${limits.idleMs / 1000}`);
      yield chunk;
      if (!isAnswered) disarm();
    }
    if (!isAnswered) awaitHeaders();
  }

  async function* receiving(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    const { idleMs } = limits;
    const least = Math.ceil((LEAST_PROGRESS * idleMs) / 60_000);
    let came = 0;
    let waitedMs = 0;
    let since = performance.now();
    const awaitMore = (): void => {
      since = performance.now();
      // What is here already comes before any timer.
      arm(Math.max(idleMs - waitedMs, 1), () =>
        came === 0 ? `sent no data for ${idleMs / 1000}` : `sent ${came} bytes in ${idleMs / 1000}`,
      );
    };
    awaitMore();
    try {
      for await (const chunk of body) {
        disarm();
        came += chunk.byteLength;
        waitedMs += performance.now() - since;
        if (came >= least) came = waitedMs = 0;
        yield chunk;
        awaitMore();
      }
    } catch (error) {
      throw stop.signal.aborted ? stop.signal.reason : error;
    } finally {
      disarm();
    }
  }

  awaitHeaders();
  const { body } = request;
  const sent = isAtOnce(body) ? body : sending(request.onSent === undefined ? inPieces(body) : body);
  try {
    const response = await transport({ ...request, ...(sent === undefined ? {} : { body: sent }), signal });
    return { ...response, body: receiving(response.body), cancel: () => (disarm(), response.cancel()) };
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    isAnswered = true;
    disarm();
  }
}

function isAtOnce(body: HttpRequest["body"]): body is Uint8Array | undefined {
  return body === undefined || (body instanceof Uint8Array && body.byteLength <= PIECE_SIZE);
}

/** A large chunk that a slow server takes bit by bit is no silence. */
async function* inPieces(
  body: Uint8Array | AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of body instanceof Uint8Array ? [body] : body) {
    for (let at = 0; at < chunk.byteLength; at += PIECE_SIZE) yield chunk.subarray(at, at + PIECE_SIZE);
  }
}
