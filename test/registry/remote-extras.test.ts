import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  contentOf,
  copyImage,
  digestOf,
  encodeJson,
  MediaType,
  memoryStore,
  nodeFetchTransport,
  readAll,
  registryClient,
  replayable,
  type Descriptor,
  type RegistryEvent,
} from "@undocked/registry";
import { startRegistry } from "@undocked/registry/server";
import { afterEach, describe, expect, test, vi } from "vitest";
import { randomImage } from "../support/random-image.ts";
import { empty, scriptedServer } from "../support/scripted-server.ts";

const blob = randomBytes(3000);
const layer: Descriptor = {
  mediaType: MediaType.ociLayerGzip,
  digest: digestOf(blob),
  size: blob.byteLength,
};
const content = replayable(() => contentOf(blob));

test.each([undefined, 1000])(
  "a sha512 blob and manifest go up and down (pieces of %s)",
  async (chunkSize) => {
    await using registry = await startRegistry();
    await using client = registryClient({
      credentials: "anonymous",
      ...(chunkSize === undefined ? {} : { upload: { chunkSize } }),
    });
    const repository = client.repository(`${registry.host}/a`);
    const strong = { ...layer, digest: digestOf(blob, "sha512") };
    await repository.push(strong, content);
    expect(Buffer.from(await readAll(repository.fetch(strong))).equals(blob)).toBe(true);
    const bytes = encodeJson({
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: strong,
      layers: [strong],
    });
    const root = {
      mediaType: MediaType.ociManifest,
      digest: digestOf(bytes, "sha512"),
      size: bytes.byteLength,
    };
    await repository.push(root, contentOf(bytes));
    expect(Buffer.from(await readAll(repository.fetch(root))).equals(Buffer.from(bytes))).toBe(true);
  },
);

describe("limits on time", () => {
  test.each([
    ["transport's", { connectTimeoutMs: 20 }, {}],
    ["host's", {}, { connectTimeoutMs: 20 }],
  ])("to connect: a machine that does not take the connection is given up (the %s)", async (_, own, host) => {
    await using server = await scriptedServer(() => undefined);
    const transport = nodeFetchTransport({ environment: {}, ...own });
    // TLS to a server that says nothing: the connection is never made.
    const silent = await import("node:net").then(({ createServer }) => createServer(() => undefined));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const address = silent.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const failed = transport({ method: "GET", url: `https://127.0.0.1:${port}/`, headers: {}, ...host });
    await expect(failed).rejects.toMatchObject({ code: "ETIMEDOUT" });
    silent.close();
    transport.close?.();
    expect(server.requests).toEqual([]);
  });

  test("of a whole operation, with its repetitions", async () => {
    await using server = await scriptedServer((_, response) => empty(response, 503));
    await using client = registryClient({
      credentials: "anonymous",
      limits: { totalMs: 50 },
      retry: { retries: 1000, baseMs: 10, capMs: 10 },
    });
    await expect(client.repository(`${server.host}/a`).resolve("1")).rejects.toMatchObject({
      code: "REGISTRY_TIMEOUT",
    });
  });
});

test("a rate limit is told", async () => {
  await using registry = await startRegistry({
    faults: [
      {
        kind: "headers",
        headers: { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600" },
      },
    ],
  });
  const events: RegistryEvent[] = [];
  await using client = registryClient({
    credentials: "anonymous",
    onEvent: (event) => event.kind === "rate-limit" && events.push(event),
  });
  await client.repository(`${registry.host}/a`).exists(layer);
  expect(events).toEqual([
    { kind: "rate-limit", host: registry.host, limit: 100, remaining: 76, windowSeconds: 21_600 },
  ]);
});

describe("HttpHeaders of docker's config.json", () => {
  afterEach(() => vi.unstubAllEnvs());

  test("are sent to the registry, and to no origin that it leads to", async () => {
    const home = await mkdtemp(join(tmpdir(), "undocked-headers-"));
    const HttpHeaders = { "X-Team": "blue", Authorization: "Basic evil", Bad: "a\r\nb" };
    await writeFile(join(home, "config.json"), JSON.stringify({ HttpHeaders }));
    vi.stubEnv("DOCKER_CONFIG", home);
    await using storage = await scriptedServer((_, response) => void response.end(blob));
    await using registry = await scriptedServer((_, response) =>
      empty(response, 307, { Location: `${storage.url}/x` }),
    );
    await using client = registryClient();
    await readAll(client.repository(`${registry.host}/a`).fetch(layer));
    expect(registry.requests.at(-1)?.headers).toMatchObject({ "x-team": "blue" });
    expect(registry.requests.at(-1)?.headers).not.toHaveProperty("bad");
    expect(registry.requests.at(-1)?.authorization).toBeUndefined();
    expect(storage.requests[0]?.headers).not.toHaveProperty("x-team");
    await rm(home, { recursive: true });
  });
});

describe("several tags", () => {
  test("are set in one request", async () => {
    await using registry = await startRegistry();
    await using client = registryClient({ credentials: "anonymous" });
    const repository = client.repository(`${registry.host}/a`);
    const from = memoryStore();
    const root = await randomImage(from, 1);
    await copyImage(root, from, repository);
    const before = registry.requests.length;
    await repository.tagAll(root, ["a", "b", "c", "a"]);
    expect(registry.requests.slice(before).filter(({ method }) => method === "PUT")).toHaveLength(1);
    for (const tag of ["a", "b", "c"]) expect((await repository.resolve(tag)).digest).toBe(root.digest);
    await repository.tagAll(root, ["a", "b"]);
    expect(
      registry.requests.filter(({ method, path }) => method === "PUT" && path.includes("tag=")),
    ).toHaveLength(1);
  });

  test("of a copy are set in one request", async () => {
    await using registry = await startRegistry();
    await using client = registryClient({ credentials: "anonymous" });
    const from = memoryStore();
    const root = await randomImage(from, 1);
    await copyImage(root, from, client.repository(`${registry.host}/a`), { tags: ["a", "b", "c"] });
    expect(
      registry.requests.filter(({ method, path }) => method === "PUT" && path.includes("tag=")),
    ).toHaveLength(1);
    for (const tag of ["a", "b", "c"])
      expect((await client.repository(`${registry.host}/a`).resolve(tag)).digest).toBe(root.digest);
  });

  test("are set one by one where the registry does not know of that", async () => {
    await using registry = await startRegistry({
      faults: [{ kind: "headers", headers: { "oci-tag": null } }],
    });
    await using client = registryClient({ credentials: "anonymous" });
    const repository = client.repository(`${registry.host}/a`);
    const from = memoryStore();
    const root = await randomImage(from, 1);
    await copyImage(root, from, repository);
    const puts = (): string[] =>
      registry.requests
        .filter(({ method, path }) => method === "PUT" && path.includes("/manifests/"))
        .map(({ path }) => path.replace(/^.*\//, ""));
    const before = puts().length;
    await repository.tagAll(root, ["a", "b"]);
    expect(puts().slice(before).toSorted()).toEqual(["a", "b", `${root.digest}?tag=a&tag=b`].toSorted());
    // It has told that by now.
    const next = await randomImage(from, 2);
    await copyImage(next, from, client.repository(`${registry.host}/b`), { tags: ["a", "b", "c"] });
    expect(puts().slice(before + 3)[0]).toBe("a");
    expect(
      puts()
        .slice(before + 3)
        .toSorted(),
    ).toEqual(["a", "b", "c"]);
  });
});

test("the referrers tag is written over what was read only: If-Match, and again after a 412", async () => {
  const subject = { mediaType: MediaType.ociManifest, digest: digestOf("subject"), size: 7 };
  const other = { mediaType: MediaType.ociManifest, digest: digestOf("other"), size: 5 };
  let index: Buffer = Buffer.from(
    encodeJson({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [] }),
  );
  const conditions: (string | undefined)[] = [];
  await using server = await scriptedServer(async (request, response) => {
    const isIndex = request.path.includes("manifests/sha256-");
    if (request.method === "PUT" && isIndex) {
      conditions.push(request.headers["if-match"]);
      if (request.headers["if-match"] === `"${digestOf(index)}"` && conditions.length > 1) {
        index = await request.body();
        empty(response, 201);
        return;
      }
      // Somebody else was faster.
      await request.body();
      index = Buffer.from(
        encodeJson({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [other] }),
      );
      empty(response, 412);
    } else if (request.method === "PUT") {
      await request.body();
      empty(response, 201);
    } else if (isIndex) {
      response.writeHead(200, {
        "Content-Type": MediaType.ociIndex,
        "Content-Length": index.byteLength,
        ETag: `"${digestOf(index)}"`,
      });
      response.end(request.method === "HEAD" ? undefined : index);
    } else empty(response, 404);
  });
  await using client = registryClient({ credentials: "anonymous" });
  const bytes = encodeJson({
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    config: layer,
    layers: [],
    subject,
  });
  const referrer = { mediaType: MediaType.ociManifest, digest: digestOf(bytes), size: bytes.byteLength };
  await client.repository(`${server.host}/a`).push(referrer, contentOf(bytes));
  expect(conditions).toHaveLength(2);
  const digests = (JSON.parse(index.toString()) as { manifests: Descriptor[] }).manifests.map(
    ({ digest }) => digest,
  );
  expect(digests).toEqual([other.digest, referrer.digest]);
});
