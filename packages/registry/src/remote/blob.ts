import type { Descriptor } from "../oci/descriptor.ts";
import type { CallOptions } from "../store/store.ts";
import type { Answer, Call, Line } from "./call.ts";
import { exchange } from "./exchange.ts";
import { drain } from "./http.ts";
import { networkFailure } from "./network-failure.ts";
import { parseContentRange, planResumption } from "./range.ts";
import { RegistryError } from "./registry-error.ts";
import { pauseToRepeat } from "./repetition.ts";
import { readUrl, type RepositoryContext } from "./context.ts";
import { adviceForStatus, backoffMs } from "./retry-policy.ts";
import { LEAST_PROGRESS } from "./watchdog.ts";

export async function blobExists(
  context: RepositoryContext,
  target: Descriptor,
  options: CallOptions,
): Promise<boolean> {
  const answer = await exchange(context.line, {
    ...request(context, target, options, "HEAD"),
    expect: [200, 404],
  });
  await drain(answer);
  return answer.status === 200;
}

/**
 * A blob's bytes, not verified: the caller hashes what passes, over all cuts.
 *
 * After a cut it goes on where it stopped (`Range`); where a server does not do that, all is asked for again and what came
 * before is skipped.
 *
 * @param begin - so many bytes are there already
 * @param elsewhere - a URL of another server, to be asked instead: it gets no credentials
 */
export async function* readBlob(
  context: RepositoryContext,
  target: Descriptor,
  options: CallOptions,
  begin = 0,
  elsewhere?: string,
): AsyncGenerator<Uint8Array, void, void> {
  const { line } = context;
  const { retries = 5 } = line.retry;
  const call: BlobCall = {
    ...request(context, target, options, "GET"),
    ...(elsewhere === undefined ? {} : { url: elsewhere, foreign: true }),
  };
  let have = begin;
  let failures = 0;
  let goesOn = true;
  for (;;) {
    const before = have;
    const rest: Answer | undefined =
      have > 0 && goesOn ? await askForRest(line, call, target, have) : undefined;
    goesOn = have === 0 || rest !== undefined;
    const answer = rest ?? (await exchange(line, { ...call, expect: [200] }));
    refuseEncoding(answer);
    if (context.mirror !== undefined) refuseLength(answer, target);
    if (answer.status === 416) {
      answer.cancel();
      return;
    }
    let skip = answer.status === 200 ? have : 0;
    let failure: RegistryError | undefined;
    try {
      for await (const chunk of answer.body) {
        const fresh = chunk.subarray(Math.min(skip, chunk.byteLength));
        skip -= chunk.byteLength - fresh.byteLength;
        if (fresh.byteLength === 0) continue;
        have += fresh.byteLength;
        yield fresh;
      }
    } catch (error) {
      options.signal?.throwIfAborted();
      const network = networkFailure(error, { method: "GET", url: answer.url });
      failure = network.failure;
    } finally {
      answer.cancel();
    }
    if (have >= target.size || (failure === undefined && !isCutShort(answer, target))) return;
    // Whole answers that end at one byte have no more: the caller's hash tells what is wrong.
    if (failure === undefined && answer.status === 200 && before > 0 && skip === 0 && have === before) return;
    failures = have >= before + LEAST_PROGRESS ? 1 : failures + 1;
    failure ??= new RegistryError("REGISTRY_UNREACHABLE", `The download of ${target.digest} was cut.`, {
      method: "GET",
      url: answer.url,
    });
    if (failures > retries) throw failure;
    const waitMs = backoffMs(failures - 1, line.retry);
    const request = { method: "GET", url: answer.url };
    await pauseToRepeat(request, { waitMs, attempt: failures, failure }, line.onEvent, options.signal);
  }
}

type BlobCall = Omit<Call, "expect" | "headers">;

/** What is behind the first `have` bytes, or the whole; 416: that was all. `undefined`: the server does not go on there. */
async function askForRest(
  line: Line,
  call: BlobCall,
  target: Descriptor,
  have: number,
): Promise<Answer | undefined> {
  let answer: Answer;
  try {
    const headers = { Range: `bytes=${have}-` };
    answer = await exchange(line, { ...call, headers, expect: [200, 206, 416] });
  } catch (error) {
    // Some servers refuse every range, with whatever status comes to their mind.
    const status = error instanceof RegistryError ? error.status : undefined;
    if (status === undefined || adviceForStatus(status) === "again") throw error;
    return undefined;
  }
  const { status, headers } = answer;
  if (planResumption(have, target.size, status, headers.get("content-range")).kind !== "failed")
    return answer;
  answer.cancel();
  return undefined;
}

/** A body that ends where its headers say is whole; whether it is right is for the caller's hash to say. */
function isCutShort({ status, headers }: Answer, target: Descriptor): boolean {
  const range = status === 206 ? parseContentRange(headers.get("content-range")) : undefined;
  return (range !== undefined && range.last + 1 < target.size) || headers.get("content-length") === null;
}

/** A mirror's page for people must not be taken for a blob: nothing of it has been passed on yet. */
function refuseLength(answer: Answer, target: Descriptor): void {
  const length = answer.headers.get("content-length");
  if (answer.status !== 200 || length === null || Number(length) === target.size) return;
  answer.cancel();
  throw new RegistryError(
    "REGISTRY_PROTOCOL",
    `${target.digest} should be ${target.size} bytes, not ${length}.`,
    {
      method: "GET",
      url: answer.url,
    },
  );
}

/** The digest is that of the bytes as they lie there: a server that encodes them on the way makes it wrong. */
function refuseEncoding(answer: Answer): void {
  const encoding = (answer.headers.get("content-encoding") ?? "identity").trim().toLowerCase();
  if (encoding === "identity" || encoding === "") return;
  answer.cancel();
  throw new RegistryError(
    "REGISTRY_PROTOCOL",
    `The registry serves a blob with Content-Encoding ${encoding.slice(0, 40)}.`,
    { method: "GET", url: answer.url, hint: "Turn off compression in the proxy before the registry." },
  );
}

function request(
  context: RepositoryContext,
  target: Descriptor,
  options: CallOptions,
  method: "GET" | "HEAD",
) {
  return {
    method,
    url: readUrl(context, `blobs/${target.digest}`),
    permission: { repository: context.repository, scopes: context.pull },
    subject: "blob",
    signal: options.signal,
  } as const;
}
