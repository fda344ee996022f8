import type { Answer, Call, Line } from "./call.ts";
import { failureOf } from "./failure.ts";
import { authorityOf, nextHop, sendHop, shownUrl, type Hop, type Sent } from "./hop.ts";
import { drain, type HttpResponse } from "./http.ts";
import { isRedirect } from "./redirect.ts";
import type { RegistryError } from "./registry-error.ts";
import { pauseToRepeat } from "./repetition.ts";
import { adviceForErrorCode, adviceForStatus, backoffMs, parseRetryAfter } from "./retry-policy.ts";

/** Sends a request until there is an answer: with authorization, through redirects, again after what may pass. */
export async function exchange(line: Line, call: Call): Promise<Answer> {
  const { signal } = call;
  const retries = retriesOf(line, call);
  const visited: string[] = [call.url];
  let hop: Hop = {
    method: call.method,
    url: call.url,
    ...(call.body === undefined ? {} : { body: call.body }),
    credentials: call.foreign === true ? "none" : "registry",
  };
  let attempt = 0;
  let refusals = 0;
  for (;;) {
    const sent = await sendHop(line, call, hop);
    if (sent.kind === "answer") {
      const { response, header, leave } = sent;
      const { status } = response;
      if ((status === 401 || status === 403) && refusals < 2 && !call.expect.includes(status)) {
        const authority = call.bestEffort === true ? undefined : authorityOf(line, hop);
        const better = await authority?.refused(
          {
            url: hop.url,
            address: response.address,
            wwwAuthenticate: response.headers.get("www-authenticate"),
            used: header,
            permission: call.permission,
          },
          signal,
        );
        if (better === true && (hop.body?.canReopen() ?? true)) {
          refusals += 1;
          await drain(response);
          leave();
          continue;
        }
      }
      if (isRedirect(status) && !call.expect.includes(status)) {
        await drain(response);
        leave();
        hop = nextHop(hop, response, visited);
        visited.push(hop.url);
        continue;
      }
      if (call.expect.includes(status)) return answerOf(response, hop.url, leave);
    }
    const failure = sent.kind === "answer" ? await failureAfter(line, call, hop, sent) : sent.failure;
    const wait = waitBefore(line, failure, sent, attempt);
    if (wait === undefined || attempt >= retries || !(hop.body?.canReopen() ?? true)) throw failure;
    attempt += 1;
    const request = { method: hop.method, url: shownUrl(line, hop) };
    await pauseToRepeat(request, { waitMs: wait, attempt, failure }, line.onEvent, signal);
  }
}

function retriesOf({ retry: { retries = 5 } }: Line, { repeat }: Call): number {
  if (repeat === false) return 0;
  return repeat === "once" ? Math.min(1, retries) : retries;
}

/** The place at the gate is given back when the body is done with. */
function answerOf(response: HttpResponse, url: string, leave: () => void): Answer {
  return {
    status: response.status,
    headers: response.headers,
    ...(response.address === undefined ? {} : { address: response.address }),
    url,
    body: (async function* () {
      try {
        yield* response.body;
      } finally {
        leave();
      }
    })(),
    cancel: () => {
      response.cancel();
      leave();
    },
  };
}

async function failureAfter(
  line: Line,
  call: Call,
  hop: Hop,
  sent: Extract<Sent, { kind: "answer" }>,
): Promise<RegistryError> {
  const secrets = line.authorizer.secrets();
  try {
    return await failureOf(sent.response, hop, call.subject, secrets);
  } finally {
    sent.leave();
    call.signal?.throwIfAborted();
  }
}

/** What was refused with one of these is refused again, whatever code comes along. */
const finalStatuses: ReadonlySet<number> = new Set([401, 403, 404, 405, 413]);

/** Milliseconds; `undefined`: trying again does not help. */
function waitBefore(line: Line, failure: RegistryError, sent: Sent, attempt: number): number | undefined {
  if (sent.kind === "failed") return sent.repeatable ? backoffMs(attempt, line.retry) : undefined;
  const { status, headers } = sent.response;
  const byCode = adviceForErrorCode(failure.code);
  // A code says more than a 400; elsewhere the status is what the server means.
  const final = status >= 500 || finalStatuses.has(status);
  if (byCode === "once" && attempt === 0) return 1000;
  if (adviceForStatus(status) !== "again" && (final || byCode !== "again")) return undefined;
  const asked = parseRetryAfter(headers.get("retry-after"), line.now());
  const wait = asked === undefined ? backoffMs(attempt, line.retry) : asked;
  // One answer of this kind slows all requests to that host.
  if (status === 429 || asked !== undefined) line.pause(sent.url, wait);
  return wait;
}
