import type { Answer, Call, Line } from "./call.ts";
import { exchange } from "./exchange.ts";
import { readBody } from "./http.ts";
import { networkFailure } from "./network-failure.ts";
import { pauseToRepeat } from "./repetition.ts";
import { backoffMs } from "./retry-policy.ts";

/** An answer with its body; `bytes` is missing where that has more than the limit. */
export interface WholeAnswer {
  readonly answer: Answer;
  readonly bytes?: Uint8Array;
}

/** An {@link exchange} whose answer is small: one that is cut in the middle of its body is asked for again. */
export async function exchangeWhole(line: Line, call: Call, limit: number): Promise<WholeAnswer> {
  const { retries = 5 } = line.retry;
  for (let attempt = 0; ; attempt += 1) {
    const answer = await exchange(line, call);
    try {
      const bytes = await readBody(answer, limit);
      return bytes === undefined ? { answer } : { answer, bytes };
    } catch (error) {
      call.signal?.throwIfAborted();
      const request = { method: call.method, url: answer.url };
      const { failure, repeatable } = networkFailure(error, request);
      if (!repeatable || attempt >= retries) throw failure;
      const waitMs = backoffMs(attempt, line.retry);
      await pauseToRepeat(request, { waitMs, attempt: attempt + 1, failure }, line.onEvent, call.signal);
    }
  }
}
