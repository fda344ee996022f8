import type { Descriptor } from "../oci/descriptor.ts";
import type { CallOptions } from "../store/store.ts";
import type { Answer } from "./call.ts";
import { exchange } from "./exchange.ts";
import { drain } from "./http.ts";
import { pauseFor } from "./gate.ts";
import { networkFailure } from "./network-failure.ts";
import { parseContentRange, planResumption } from "./range.ts";
import { redactUrl } from "./redact.ts";
import { RegistryError } from "./registry-error.ts";
import { readUrl, type RepositoryContext } from "./context.ts";
import { backoffMs } from "./retry-policy.ts";

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
 * After a cut it goes on where it stopped (`Range`); where a server does not do that, what came before is skipped.
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
  let have = begin;
  let failures = 0;
  for (;;) {
    const before = have;
    const answer = await exchange(line, {
      ...request(context, target, options, "GET"),
      ...(elsewhere === undefined ? {} : { url: elsewhere, foreign: true }),
      headers: have === 0 ? {} : { Range: `bytes=${have}-` },
      expect: have === 0 ? [200] : [200, 206, 416],
    });
    refuseEncoding(answer);
    if (context.mirror !== undefined) refuseLength(answer, target);
    let skip = 0;
    if (have > 0) {
      const plan = planResumption(have, target.size, answer.status, answer.headers.get("content-range"));
      if (plan.kind === "failed") {
        answer.cancel();
        throw new RegistryError(
          "REGISTRY_PROTOCOL",
          `The download of ${target.digest} cannot go on: ${plan.why}.`,
          { method: "GET", url: answer.url, status: answer.status },
        );
      }
      if (plan.kind === "done") {
        answer.cancel();
        return;
      }
      if (plan.kind === "skip") skip = plan.bytes;
    }
    const range = answer.status === 206 ? parseContentRange(answer.headers.get("content-range")) : undefined;
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
    // A body that ends where its headers say is whole; whether it is right is for the caller's hash to say.
    const endedEarly = failure !== undefined || (range !== undefined && range.last + 1 < target.size);
    if (!endedEarly || have >= target.size) return;
    failures = have > before ? 1 : failures + 1;
    failure ??= new RegistryError("REGISTRY_UNREACHABLE", `The download of ${target.digest} was cut.`, {
      method: "GET",
      url: answer.url,
    });
    if (failures > retries) throw failure;
    const waitMs = backoffMs(failures - 1, line.retry);
    line.onEvent({
      kind: "retry",
      method: "GET",
      url: redactUrl(answer.url),
      waitMs: Math.round(waitMs),
      attempt: failures,
      reason: failure.code,
    });
    await pauseFor(waitMs, options.signal);
  }
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
