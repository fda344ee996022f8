import { createHash } from "node:crypto";
import {
  contentOf,
  digestOf,
  MediaType,
  readAll,
  registryClient,
  replayable,
  type Descriptor,
} from "@undocked/registry";
import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { empty, json, scriptedServer, type SeenRequest } from "../support/scripted-server.ts";

const blobOf = (name: string, size: number): Buffer => {
  const seed = createHash("sha256").update(name).digest();
  return Buffer.alloc(size, seed);
};
const described = (bytes: Buffer): Descriptor => ({
  mediaType: MediaType.ociLayerGzip,
  digest: digestOf(bytes),
  size: bytes.byteLength,
});

test("a download that is cut at any byte is right", async () => {
  const blob = blobOf("cut", 257);
  let cutAt = 0;
  await using server = await scriptedServer((request, response) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const headers = { "Content-Length": blob.byteLength - from };
    if (from > 0) {
      const range = `bytes ${from}-${blob.byteLength - 1}/${blob.byteLength}`;
      response.writeHead(206, { ...headers, "Content-Range": range }).end(blob.subarray(from));
      return;
    }
    // Once nothing has come, the request is the first again.
    const first = cutAt > 0 || server.requests.length % 2 === 1;
    response.writeHead(200, headers);
    if (!first) response.end(blob);
    else if (cutAt === 0) {
      response.flushHeaders();
      response.destroy();
    } else response.write(blob.subarray(0, cutAt), () => response.destroy());
  });
  await using client = registryClient({ credentials: "anonymous", retry: { baseMs: 0 } });
  const repository = client.repository(`${server.host}/a`);
  for (; cutAt < blob.byteLength; cutAt += 1) {
    expect(Buffer.from(await readAll(repository.fetch(described(blob)))).equals(blob)).toBe(true);
    if (cutAt === 0) server.requests.length = 0;
  }
});

/** Numbers in [0, 1) that are the same in every run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A registry with tokens that does what it should, but for one request in ten. */
function unreliable(random: () => number) {
  const blobs = new Map<string, Buffer>();
  const uploads: string[] = [];
  const script = async (request: SeenRequest, response: ServerResponse): Promise<void> => {
    const fault = random();
    if (request.path === "/token") {
      if (fault < 0.1) empty(response, 503, { "Retry-After": "0" });
      else json(response, 200, { token: "T" });
      return;
    }
    if (request.authorization !== "Bearer T") {
      const { host = "" } = request.headers;
      empty(response, 401, { "WWW-Authenticate": `Bearer realm="http://${host}/token",service="s"` });
      return;
    }
    if (fault < 0.03) response.destroy();
    else if (fault < 0.06) empty(response, 429, { "Retry-After": "0", Connection: "close" });
    else if (fault < 0.08) empty(response, 503, { Connection: "close" });
    else await serve(request, response, fault < 0.12);
  };
  const serve = async (request: SeenRequest, response: ServerResponse, cut: boolean): Promise<void> => {
    const blob = blobs.get(request.path.split("/").at(-1) ?? "");
    if (request.method === "POST") empty(response, 202, { Location: `/up/${Math.floor(random() * 1e9)}` });
    else if (request.method === "DELETE") empty(response, 204);
    else if (request.method === "PUT") {
      const body = await request.body();
      if (cut) {
        response.destroy();
        return;
      }
      const digest = request.query.get("digest") ?? "";
      if (digestOf(body) === digest) {
        uploads.push(digest);
        blobs.set(digest, body);
      }
      empty(response, digestOf(body) === digest ? 201 : 400);
    } else if (blob === undefined) empty(response, 404);
    else if (request.method === "HEAD") {
      response.writeHead(200, { "Content-Length": blob.byteLength });
      response.end();
    } else {
      response.writeHead(200, { "Content-Length": blob.byteLength });
      if (cut) response.write(blob.subarray(0, blob.byteLength / 2), () => response.destroy());
      else response.end(blob);
    }
  };
  return { script, uploads };
}

describe("a registry that fails at one request in ten", () => {
  test.each([1, 2, 3, 4, 5])("gets and gives everything, nothing twice (seed %i)", async (seed) => {
    const { script, uploads } = unreliable(numbers(seed));
    await using server = await scriptedServer(script);
    await using client = registryClient({
      credentials: "anonymous",
      retry: { baseMs: 1, retries: 12, random: numbers(seed) },
    });
    const repository = client.repository(`${server.host}/a`);
    const blobs = Array.from({ length: 60 }, (_, count) => blobOf(`${seed} ${count}`, 2000 + count));
    await Promise.all(
      blobs.map((blob) =>
        repository.push(
          described(blob),
          replayable(() => contentOf(blob)),
        ),
      ),
    );
    expect(uploads.sort()).toEqual(blobs.map((blob): string => digestOf(blob)).sort());
    const received = await Promise.all(blobs.map((blob) => readAll(repository.fetch(described(blob)))));
    expect(received.every((bytes, index) => Buffer.from(bytes).equals(blobs[index]!))).toBe(true);
  });
});
