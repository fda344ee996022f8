import { createCipheriv } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage, memoryTree, type BuildEvent, type BuildOptions } from "@undocked/core";
import { ociLayout, registryClient } from "@undocked/registry";
import { startRegistry, type RunningRegistry } from "@undocked/registry/server";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { validateImage } from "../support/random-image.ts";
import { empty, json, scriptedServer } from "../support/scripted-server.ts";

/* Layers go to the registry while they are made, where nothing is lost by it. */

let context: string;
let registry: RunningRegistry;

beforeAll(() => {
  context = mkdtempSync(join(tmpdir(), "undocked-early-"));
  const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
  writeFileSync(join(context, "large"), noise.update(Buffer.alloc(12 * 1024 * 1024)));
  writeFileSync(join(context, "other"), noise.update(Buffer.alloc(6 * 1024 * 1024)));
  writeFileSync(join(context, "small"), "small");
});
afterAll(() => rmSync(context, { recursive: true, force: true }));

beforeEach(async () => {
  registry = await startRegistry();
  return () => registry.close();
});

async function push(text: string, options: BuildOptions = {}): Promise<readonly BuildEvent[]> {
  const events: BuildEvent[] = [];
  await using image = await buildImage({
    context,
    dockerfile: { text },
    cache: false,
    tags: [`${registry.host}/team/app:1`],
    push: true,
    onEvent: (event) => events.push(event),
    ...options,
  });
  await using client = registryClient();
  const repository = client.repository(`${registry.host}/team/app`);
  const root = await repository.resolve("1");
  expect(root.digest).toBe(image.digest);
  await validateImage(root, repository);
  return events;
}

function requests(method: string, part = ""): number {
  return registry.requests.filter((request) => request.method === method && request.path.includes(part))
    .length;
}

test("a large layer for a new repository is sent while it is made, once", async () => {
  const events = await push("FROM scratch\nCOPY large /\n");
  expect(requests("PATCH")).toBe(1);
  const sent = registry.requests.reduce((sum, { bytesReceived }) => sum + bytesReceived, 0);
  expect(sent).toBeLessThan(13 * 1024 * 1024);
  expect(events.filter((event) => event.kind === "content").map(({ how }) => how)).toEqual(
    expect.arrayContaining(["copied", "copied", "copied"]),
  );
  const told = events.flatMap((event) => (event.kind === "stream" ? [event.bytes] : []));
  expect(told.at(-1)).toBeGreaterThan(12 * 1024 * 1024);
  expect(registry.openUploads()).toBe(0);
});

test("nothing that a question can spare is sent: a repository that is known is asked first", async () => {
  await push("FROM scratch\nCOPY large /\n");
  const before = registry.requests.length;
  await push("FROM scratch\nCOPY large /\nLABEL a=b\n");
  const again = registry.requests.slice(before);
  expect(again.filter(({ method }) => method === "PATCH")).toEqual([]);
  expect(again.reduce((sum, { bytesReceived }) => sum + bytesReceived, 0)).toBeLessThan(10_000);
});

test("small layers are asked for and sent whole", async () => {
  await push("FROM scratch\nCOPY small /\n");
  expect(requests("PATCH")).toBe(0);
  expect(requests("GET", "/tags/list")).toBe(0);
});

test("several layers arrive whole, whichever way each goes", async () => {
  await push("FROM scratch\nCOPY large /\nCOPY small /\nCOPY other /\n");
  expect(registry.openUploads()).toBe(0);
});

test("a layer of blocks of both kinds is the same wherever it goes, over memory that is used again", async () => {
  const cache = mkdtempSync(join(tmpdir(), "undocked-both-"));
  const block = 2 * 1024 * 1024;
  const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16, 1), Buffer.alloc(16)).update(
    Buffer.alloc(8 * block),
  );
  const text = Buffer.alloc(3 * block, "some text, ");
  const tree = memoryTree({ "/mixed": Buffer.concat([noise, text, noise.subarray(block / 3), text, noise]) });
  const copied = "FROM scratch\nCOPY mixed /\n";
  try {
    const layers = new Set<string>();
    const built = async (name: string, options: BuildOptions): Promise<void> => {
      const path = join(cache, name);
      await push(copied, {
        context: tree,
        outputs: [{ type: "oci-layout", path }],
        onEvent: (event) => event.kind === "layer" && layers.add(event.layer.digest),
        ...options,
      });
      const layout = ociLayout(path);
      await validateImage(await layout.resolve("1"), layout);
    };
    // To a repository that has nothing and to the store; to the store alone.
    await built("new", {});
    await built("known", { labels: { known: "yes" } });
    expect([layers.size, requests("PATCH")]).toEqual([1, 1]);
    await push(copied, { context: tree, compression: "none" });
  } finally {
    rmSync(cache, { recursive: true });
  }
});

test("where a registry takes no stream, the layer is sent when it is whole", async () => {
  registry.inject({ kind: "status", method: "PATCH", status: 400 });
  await push("FROM scratch\nCOPY large /\n");
  expect(registry.openUploads()).toBe(0);
});

test("an image that is refused sends nothing", async () => {
  await expect(push('FROM scratch\nCOPY large /\nENTRYPOINT ["/nothing"]\n')).rejects.toThrow();
  expect(registry.requests.filter(({ method }) => method !== "HEAD" && method !== "GET")).toEqual([]);
});

test("a build that is stopped leaves no upload open", async () => {
  const stop = new AbortController();
  const stopped = push("FROM scratch\nCOPY large /\nCOPY other /\n", {
    signal: stop.signal,
    onEvent: (event) => event.kind === "layer" && stop.abort(new Error("stopped")),
  });
  await expect(stopped).rejects.toThrow("stopped");
  expect(registry.openUploads()).toBe(0);
  await using client = registryClient();
  await expect(client.repository(`${registry.host}/team/app`).resolve("1")).rejects.toThrow();
});

describe("a layer that is as much work to keep as to make", () => {
  const text = "FROM scratch\nCOPY huge /\n";
  let place: string;
  let content: string;
  let cache: string;

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), "undocked-unkept-"));
    content = join(place, "context");
    cache = join(place, "cache");
    mkdirSync(content);
    const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16, 1), Buffer.alloc(16));
    writeFileSync(join(content, "huge"), noise.update(Buffer.alloc(65 * 1024 * 1024)));
    return () => rmSync(place, { recursive: true, force: true });
  });

  function kept(): number {
    return readdirSync(cache, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
  }

  const large = 64 * 1024 * 1024;

  test("goes to its one repository alone", async () => {
    await push(text, { context: content, cache });
    expect(requests("PATCH")).toBe(1);
    expect(kept()).toBeLessThan(large);
  });

  test("is made again for who reads the image", async () => {
    await using image = await buildImage({
      context: content,
      dockerfile: { text },
      cache,
      tags: [`${registry.host}/team/app:1`],
      push: true,
    });
    await validateImage(image.root, image.store);
  });

  test("is read from the repository that took it once its files are gone", async () => {
    await using image = await buildImage({
      context: content,
      dockerfile: { text },
      cache: false,
      tags: [`${registry.host}/team/app:1`],
      push: true,
    });
    rmSync(join(content, "huge"));
    await validateImage(image.root, image.store);
  });

  test.each([false, "kept"] as const)("is lost by no failure of the stream, with cache %s", async (kind) => {
    registry.inject({ kind: "status", method: "PATCH", status: 400 });
    await push(text, { context: content, cache: kind === false ? false : cache });
    expect(registry.openUploads()).toBe(0);
  });

  test("goes to another repository in another build", async () => {
    await push(text, { context: content, cache });
    const tags = [`${registry.host}/team/app:1`, `${registry.host}/team/other:1`];
    await push(text, { context: content, cache, tags });
    expect(kept()).toBeGreaterThan(large);
  });

  test("is kept where several repositories or an output get it", async () => {
    const tags = [`${registry.host}/team/app:1`, `${registry.host}/team/other:1`];
    await push(text, { context: content, cache, tags });
    expect(kept()).toBeGreaterThan(large);
    rmSync(cache, { recursive: true });
    const path = join(place, "layout");
    await push(text, {
      context: content,
      cache,
      tags: [`${registry.host}/team/app:1`],
      outputs: [{ type: "oci-layout", path }],
    });
    expect(kept()).toBeGreaterThan(large);
    const layout = ociLayout(path);
    await validateImage(await layout.resolve("1"), layout);
  });
});

test.each([["keep-alive"], ["close"]])(
  "a registry that answers before it has the stream, with connection %s, gets the layer whole",
  async (connection) => {
    const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
    const large = noise.update(Buffer.alloc(24 * 1024 * 1024));
    const session = { Location: "/v2/app/blobs/uploads/1" };
    const sizes: number[] = [];
    await using server = await scriptedServer(async ({ method, path, body }, response) => {
      if (method === "PATCH") return empty(response, 202, { ...session, Connection: connection });
      const { byteLength } = await body();
      if (method === "POST") return empty(response, 202, session);
      if (path.endsWith("/tags/list")) return json(response, 404, { errors: [{ code: "NAME_UNKNOWN" }] });
      if (method === "PUT") sizes.push(byteLength);
      empty(response, method === "PUT" ? 201 : 404);
    });
    const layers: number[] = [];
    const built = buildImage({
      context: memoryTree({ "/large": { content: large } }),
      dockerfile: { text: "FROM scratch\nCOPY large /\n" },
      cache: false,
      tags: [`${server.host}/app:1`],
      push: true,
      onEvent: (event) => event.kind === "layer" && layers.push(event.layer.size),
    });
    // It keeps nothing.
    await expect(built).rejects.toMatchObject({ status: 404 });
    expect(sizes).toEqual(expect.arrayContaining(layers));
    expect(layers).toHaveLength(1);
  },
);
