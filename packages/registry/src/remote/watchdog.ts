import type { HttpRequest, HttpResponse, Transport } from "./http.ts";
import { RegistryError } from "./registry-error.ts";

/** Milliseconds without a sign of life. */
export interface TimeLimits {
  /** From the end of the request to the headers of the response. */
  readonly headersMs: number;
  /** Between two pieces of a body, in either direction. Time that we take ourselves does not count. */
  readonly idleMs: number;
  /** For a whole operation, with all its repetitions; of a download with the time that its reader takes. Default: none. */
  readonly totalMs?: number;
}

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
  const arm = (limit: number, what: string): void => {
    disarm();
    timer = setTimeout(() => {
      stop.abort(
        new RegistryError("REGISTRY_TIMEOUT", `The registry ${what} for ${limit / 1000} seconds.`, {
          method: request.method,
          url: request.url,
          hint: "Try again; a proxy between here and the registry may hold the connection.",
        }),
      );
    }, limit);
  };
  const signal = request.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, request.signal]);

  /** A body that goes on after the answer is of no account. */
  async function* sending(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    disarm();
    for await (const chunk of body) {
      if (!isAnswered) arm(limits.idleMs, "took no data");
      yield chunk;
      if (!isAnswered) disarm();
    }
    if (!isAnswered) arm(limits.headersMs, "did not answer");
  }

  async function* receiving(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
    arm(limits.idleMs, "sent no data");
    try {
      for await (const chunk of body) {
        disarm();
        yield chunk;
        arm(limits.idleMs, "sent no data");
      }
    } catch (error) {
      throw stop.signal.aborted ? stop.signal.reason : error;
    } finally {
      disarm();
    }
  }

  arm(limits.headersMs, "did not answer");
  const { body } = request;
  const sent = body === undefined || body instanceof Uint8Array ? body : sending(body);
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
