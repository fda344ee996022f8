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
import { expect, test } from "vitest";
import { empty, scriptedServer, type SeenRequest } from "../support/scripted-server.ts";

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
        empty(response, Buffer.concat([state.have, body]).equals(blob) ? 201 : 400);
      }
    },
  };
}

const push = async (host: string, chunkSize?: number): Promise<void> => {
  const client = registryClient({
    credentials: "anonymous",
    retry: { baseMs: 1 },
    ...(chunkSize === undefined ? {} : { upload: { chunkSize } }),
  });
  await client.repository(`${host}/a`).push(
    layer,
    replayable(() => contentOf(blob)),
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
