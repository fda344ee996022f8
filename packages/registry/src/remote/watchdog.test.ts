import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import type { HttpRequest, HttpResponse, Transport } from "./http.ts";
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

/** What a server answers whose body comes piece by piece, with pauses. */
function answering(pieceSize: number, pauseMs: number): Transport {
  return async ({ signal }) => ({
    status: 200,
    headers: new Headers(),
    body: (async function* () {
      for (let count = 0; count < 50; count++) {
        await setTimeout(pauseMs, undefined, signal === undefined ? {} : { signal });
        yield new Uint8Array(pieceSize);
      }
    })(),
    cancel: () => undefined,
  });
}

async function sizeOf(response: HttpResponse): Promise<number> {
  let size = 0;
  for await (const chunk of response.body) size += chunk.byteLength;
  return size;
}

const get = { method: "GET", url: "http://127.0.0.1/", headers: {} };

test("a server that sends a byte now and then is given up", async () => {
  const limits = { headersMs: 1000, idleMs: 50 };
  const response = await watched(answering(1, 20), get, limits);
  await expect(sizeOf(response)).rejects.toMatchObject({
    code: "REGISTRY_TIMEOUT",
    message: expect.stringMatching(/^The registry sent \d bytes in 0\.05 seconds\.$/),
  });
});

test("a server that is slow and goes on is not", async () => {
  const limits = { headersMs: 1000, idleMs: 1000 };
  const response = await watched(answering(500, 1), get, limits);
  expect(await sizeOf(response)).toBe(25_000);
});

test("the time that the reader takes is not the server's", async () => {
  const limits = { headersMs: 1000, idleMs: 40 };
  const response = await watched(answering(1, 0), get, limits);
  let count = 0;
  for await (const _ of response.body) if (++count < 10) await setTimeout(10);
  expect(count).toBe(50);
});

test.each<[string, Uint8Array | AsyncIterable<Uint8Array>]>([
  ["at once", new Uint8Array(1024 * 1024)],
  [
    "as a stream",
    (async function* () {
      yield new Uint8Array(1024 * 1024);
    })(),
  ],
])("a large body that is given %s may be taken slowly, and whole", async (_, body) => {
  let taken = 0;
  await watched(
    async (request) => {
      for await (const piece of request.body ?? []) {
        if (!(piece instanceof Uint8Array)) throw new Error("a large body is sent as a stream");
        await setTimeout(piece.byteLength / 8192);
        taken += piece.byteLength;
      }
      request.signal?.throwIfAborted();
      return await answering(0, 0)(request);
    },
    { ...get, method: "PATCH", body },
    { headersMs: 90, idleMs: 90 },
  );
  expect(taken).toBe(1024 * 1024);
});
