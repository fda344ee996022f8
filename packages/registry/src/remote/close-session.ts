import type { Descriptor } from "../oci/descriptor.ts";
import type { CallOptions } from "../store/store.ts";
import { blobExists } from "./blob.ts";
import type { CallBody } from "./call.ts";
import type { RepositoryContext } from "./context.ts";
import { exchange } from "./exchange.ts";
import { drain } from "./http.ts";
import { withQuery } from "./location.ts";
import { RegistryError } from "./registry-error.ts";
import { pauseToRepeat } from "./repetition.ts";
import { backoffMs, mayPass } from "./retry-policy.ts";
import { sessionCall, type UploadSession } from "./upload-session.ts";

// The registry hashes the whole before it answers.
const CLOSING_MS = 300_000;

/** @param body - what the session does not have yet: everything, or nothing */
export async function closeSession(
  context: RepositoryContext,
  session: UploadSession,
  expected: Descriptor,
  options: CallOptions,
  body?: CallBody,
): Promise<void> {
  const answer = await exchange(context.line, {
    ...sessionCall(context, session),
    method: "PUT",
    url: withQuery(session.url, "digest", expected.digest),
    headers: { "Content-Type": "application/octet-stream" },
    ...(body === undefined ? {} : { body }),
    expect: [200, 201, 202, 204],
    headersMs: CLOSING_MS,
    signal: options.signal,
  });
  await drain(answer);
  if (answer.status === 201 || (await blobExists(context, expected, options))) return;
  throw new RegistryError(
    "BLOB_UPLOAD_INVALID",
    `The registry took ${expected.digest} with ${answer.status}, but does not have it.`,
    { method: "PUT", url: answer.url, status: answer.status },
  );
}

/**
 * Closes a session that has everything. What is sent again is no content, so it is worth it where that could be read only
 * once; and it may be the answer alone that was lost.
 */
export async function closeFilled(
  context: RepositoryContext,
  session: UploadSession,
  expected: Descriptor,
  options: CallOptions,
): Promise<void> {
  const { retries = 5 } = context.line.retry;
  for (let attempt = 0; ; attempt += 1) {
    try {
      await closeSession(context, session, expected, options);
      return;
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!(error instanceof RegistryError) || attempt >= retries || !mayPass(error)) throw error;
      const { retry, onEvent } = context.line;
      const waitMs = backoffMs(attempt, retry);
      const request = { method: "PUT", url: session.url };
      await pauseToRepeat(request, { waitMs, attempt: attempt + 1, failure: error }, onEvent, options.signal);
      if (await blobExists(context, expected, options)) return;
    }
  }
}
