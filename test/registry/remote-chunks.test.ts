import { randomBytes } from "node:crypto";
import {
  contentOf,
  digestOf,
  MediaType,
  registryClient,
  replayable,
  type Descriptor,
} from "@undocked/registry";
import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { empty, json, scriptedServer, type SeenRequest } from "../support/scripted-server.ts";

const blob = randomBytes(10_000);
const layer: Descriptor = {
  mediaType: MediaType.ociLayerGzip,
  digest: digestOf(blob),
  size: blob.byteLength,
};

/** A registry that takes pieces, each at a new Location, and tells what it has. */
function takingPieces(
  override: (
    request: SeenRequest,
    response: ServerResponse,
    state: { have: Buffer },
  ) => Promise<boolean> | boolean,
  headers: Record<string, string> = {},
  whole: Buffer = blob,
) {
  const state = { have: Buffer.alloc(0) };
  const ranges: string[] = [];
  let step = 0;
  const location = (): Record<string, string> => ({
    Location: `/up?step=${step}`,
    Range: state.have.byteLength === 0 ? "0-0" : `0-${state.have.byteLength - 1}`,
  });
  return {
    state,
    ranges,
    script: async (request: SeenRequest, response: ServerResponse): Promise<void> => {
      step += 1;
      const range = request.headers["content-range"];
      if (request.method === "PATCH") ranges.push(range ?? "none");
      if (await override(request, response, state)) return;
      if (request.method === "HEAD") empty(response, 404);
      else if (request.method === "POST") {
        state.have = Buffer.alloc(0);
        empty(response, 202, { ...location(), ...headers });
      } else if (request.method === "GET") empty(response, 204, location());
      else if (request.method === "DELETE") empty(response, 204);
      else if (request.method === "PATCH") {
        const body = await request.body();
        if (!range?.startsWith(`${state.have.byteLength}-`)) empty(response, 416, location());
        else {
          state.have = Buffer.concat([state.have, body]);
          empty(response, 202, location());
        }
      } else {
        const body = await request.body();
        empty(response, Buffer.concat([state.have, body]).equals(whole) ? 201 : 400);
      }
    },
  };
}

/** A registry that refuses any request with more than `limit` bytes in it, and counts. */
function limiting(whole: Buffer, limit: number, headers: Record<string, string> = {}) {
  const refused: number[] = [];
  const taken: number[] = [];
  const pieces = takingPieces(
    async (request, response, state) => {
      const size = Number(request.headers["content-length"] ?? 0);
      if (size <= limit) {
        if (request.method === "PATCH") taken.push(size);
        return false;
      }
      await request.body();
      refused.push(size);
      expect(state.have.byteLength).toBe(taken.reduce((sum, part) => sum + part, 0));
      empty(response, 413);
      return true;
    },
    headers,
    whole,
  );
  return { ...pieces, refused, taken, least: Number(headers["OCI-Chunk-Min-Length"] ?? 65_536) };
}

const push = async (host: string, chunkSize?: number, content: Buffer = blob): Promise<void> => {
  const client = registryClient({
    credentials: "anonymous",
    retry: { baseMs: 1 },
    ...(chunkSize === undefined ? {} : { upload: { chunkSize } }),
  });
  await client.repository(`${host}/a`).push(
    { ...layer, digest: digestOf(content), size: content.byteLength },
    replayable(() => contentOf(content)),
  );
};

test("a blob goes up in pieces, each to the place that the last one named", async () => {
  const pieces = takingPieces(() => false);
  await using server = await scriptedServer(pieces.script);
  await push(server.host, 4000);
  expect(pieces.ranges).toEqual(["0-3999", "4000-7999", "8000-9999"]);
  const steps = server.requests
    .filter(({ path }) => path === "/up")
    .map(({ query }) => Number(query.get("step")));
  expect(steps).toEqual([...steps].sort((a, b) => a - b));
  expect(new Set(steps).size).toBe(steps.length);
});

test("pieces are as large as the registry wants them at least", async () => {
  const pieces = takingPieces(() => false, { "OCI-Chunk-Min-Length": "6000" });
  await using server = await scriptedServer(pieces.script);
  await push(server.host, 4000);
  expect(pieces.ranges).toEqual(["0-5999", "6000-9999"]);
});

test("after a piece of which a part came, the rest is sent", async () => {
  let cut = true;
  const pieces = takingPieces(async (request, response, state) => {
    if (request.method !== "PATCH" || !cut || state.have.byteLength === 0) return false;
    cut = false;
    const body = await request.body();
    state.have = Buffer.concat([state.have, body.subarray(0, 1500)]);
    response.destroy();
    return true;
  });
  await using server = await scriptedServer(pieces.script);
  await push(server.host, 4000);
  expect(pieces.ranges).toEqual(["0-3999", "4000-7999", "5500-7999", "8000-9999"]);
});

test("after a piece whose answer was lost, the next is sent", async () => {
  let cut = true;
  const pieces = takingPieces(async (request, response, state) => {
    if (request.method !== "PATCH" || !cut) return false;
    cut = false;
    state.have = await request.body();
    response.destroy();
    return true;
  });
  await using server = await scriptedServer(pieces.script);
  await push(server.host, 4000);
  expect(pieces.ranges).toEqual(["0-3999", "4000-7999", "8000-9999"]);
});

test("a registry that finds the whole too large gets it in pieces", async () => {
  const pieces = takingPieces((request, response) => {
    const tooLarge = request.method === "PUT" && request.headers["content-length"] !== "0";
    if (tooLarge) empty(response, 413, { Connection: "close" });
    return tooLarge;
  });
  await using server = await scriptedServer(pieces.script);
  await push(server.host);
  expect(pieces.ranges).toEqual(["0-9999"]);
});

describe("a registry, or what stands before it, that limits the size of a request", () => {
  const noise = randomBytes(1_500_000);

  test.each([
    ["its limit is found by halving, and what it took is not sent again", {}, undefined, 400_000],
    ["its limit is found from pieces of the sender's own size", {}, 1_000_000, 400_000],
    ["a piece is never smaller than it wants them", { "OCI-Chunk-Min-Length": "300000" }, undefined, 350_000],
  ])("%s", async (_, headers, chunkSize, limit) => {
    const registry = limiting(noise, limit, headers);
    await using server = await scriptedServer(registry.script);
    await push(server.host, chunkSize, noise);
    const least = Number(new Headers(headers).get("OCI-Chunk-Min-Length") ?? 0);
    expect(registry.taken.slice(0, -1).every((size) => size <= limit && size >= least)).toBe(true);
    expect(registry.taken.reduce((sum, size) => sum + size, 0)).toBe(noise.byteLength);
    // Each that was refused was smaller than the one before.
    expect(registry.refused).toEqual([...new Set(registry.refused)].sort((a, b) => b - a));
    const sessions = server.lines().filter((line) => line.startsWith("POST"));
    expect(sessions).toHaveLength(chunkSize === undefined ? 2 : 1);
  });

  test.each([
    ["whatever a request holds", {}],
    ["pieces of the least size that it wants itself", { "OCI-Chunk-Min-Length": "500000" }],
  ])("is told of once it refuses %s", async (_, headers) => {
    const registry = limiting(noise, 0, headers);
    await using server = await scriptedServer(registry.script);
    const least = registry.least;
    await expect(push(server.host, undefined, noise)).rejects.toMatchObject({
      code: "SIZE_INVALID",
      status: 413,
      message: expect.stringContaining(`${least} bytes`),
    });
    expect(registry.refused.at(-1)).toBe(least);
    expect(registry.refused).toEqual([...new Set(registry.refused)].sort((a, b) => b - a));
    expect(server.lines().filter((line) => line.startsWith("DELETE"))).toHaveLength(2);
  });

  test("is not offered for the next blob what it refused of the last", async () => {
    const registry = limiting(noise, 400_000);
    await using server = await scriptedServer(registry.script);
    const client = registryClient({ credentials: "anonymous", retry: { baseMs: 1 } });
    const send = async (): Promise<void> =>
      await client.repository(`${server.host}/a`).push(
        { ...layer, digest: digestOf(noise), size: noise.byteLength },
        replayable(() => contentOf(noise)),
      );
    await send();
    const { length } = registry.refused;
    expect(length).toBeGreaterThan(1);
    registry.taken.length = 0;
    await send();
    expect(registry.refused).toHaveLength(length);
    expect(registry.taken.reduce((sum, size) => sum + size, 0)).toBe(noise.byteLength);
  });

  test("has no more of the content held for it than two pieces", async () => {
    const registry = limiting(noise, 80_000);
    let read = 0;
    let ahead = 0;
    await using server = await scriptedServer(async (request, response) => {
      ahead = Math.max(ahead, read - registry.state.have.byteLength);
      await registry.script(request, response);
    });
    const content = replayable(async function* () {
      for (let at = 0; at < noise.byteLength; at += 10_000) {
        const chunk = noise.subarray(at, at + 10_000);
        read += chunk.byteLength;
        yield chunk;
      }
    });
    const client = registryClient({ credentials: "anonymous", upload: { chunkSize: 150_000 } });
    await client
      .repository(`${server.host}/a`)
      .push({ ...layer, digest: digestOf(noise), size: noise.byteLength }, content);
    expect(registry.taken.length).toBeGreaterThan(15);
    expect(ahead).toBeLessThanOrEqual(300_000);
  });

  test("gets content of which nobody knows the size in smaller pieces too", async () => {
    const registry = limiting(noise, 200_000);
    await using server = await scriptedServer(registry.script);
    const client = registryClient({ credentials: "anonymous", retry: { retries: 0 } });
    const found = await client.repository(`${server.host}/a`).ingest(
      layer.mediaType,
      (async function* () {
        for (let at = 0; at < noise.byteLength; at += 70_000) yield noise.subarray(at, at + 70_000);
      })(),
    );
    expect(found.digest).toBe(digestOf(noise));
  });

  test("is not asked for the same once more for a manifest either, whatever code it gives", async () => {
    await using server = await scriptedServer(async (request, response) => {
      await request.body();
      if (request.method === "HEAD") empty(response, 404);
      else json(response, 413, { errors: [{ code: "UNKNOWN", message: "too large" }] });
    });
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, config: layer, layers: [] }));
    const manifest = { mediaType: MediaType.ociManifest, digest: digestOf(bytes), size: bytes.byteLength };
    const client = registryClient({ credentials: "anonymous", retry: { baseMs: 1 } });
    await expect(
      client.repository(`${server.host}/a`).push(manifest, contentOf(bytes)),
    ).rejects.toMatchObject({ status: 413 });
    expect(server.lines().filter((line) => line.startsWith("PUT"))).toHaveLength(1);
  });
});
