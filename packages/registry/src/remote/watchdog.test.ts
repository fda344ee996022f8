import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import type { HttpRequest, HttpResponse } from "./http.ts";
import { watched } from "./watchdog.ts";

async function* pieces(): AsyncGenerator<Uint8Array, void, void> {
  yield Uint8Array.of(1);
  yield Uint8Array.of(2);
}

test("a body that goes on after the answer is not waited for", async () => {
  let asked: HttpRequest | undefined;
  const response: HttpResponse = {
    status: 202,
    headers: new Headers(),
    body: pieces(),
    cancel: () => undefined,
  };
  await watched(
    async (request) => {
      asked = request;
      return response;
    },
    { method: "PATCH", url: "http://127.0.0.1/", headers: {}, body: pieces() },
    { headersMs: 5, idleMs: 5 },
  );
  const sent = asked?.body;
  if (sent === undefined || sent instanceof Uint8Array) throw new Error("a stream is sent as one");
  for await (const _ of sent) await setTimeout(20);
  await setTimeout(20);
  expect(asked?.signal?.aborted).toBe(false);
});
