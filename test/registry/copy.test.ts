import {
  contentOf,
  copyImage,
  digestOf,
  layeredSource,
  memoryStore,
  readAll,
  registryClient,
  type CopyEvent,
  type Descriptor,
  type RegistryClient,
} from "@undocked/registry";
import { memoryStorage, startRegistry, type RunningRegistry } from "@undocked/registry/server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { randomBytes, randomImage, randomIndex, validateImage } from "../support/random-image.ts";

let registry: RunningRegistry;
let client: RegistryClient;
beforeEach(async () => {
  registry = await startRegistry();
  client = registryClient({ credentials: "anonymous", retry: { baseMs: 1 } });
});
afterEach(async () => {
  await client[Symbol.asyncDispose]();
  await registry.close();
});

const repository = (name: string) => client.repository(`${registry.host}/${name}`);
const asked = (): string[] => registry.requests.map(({ method, status }) => `${method} ${status}`);

/** As layers of a base are taken over. */
const fromBase = ({ mediaType }: Descriptor): string | undefined =>
  mediaType.includes("layer") ? "base" : undefined;

describe("copyImage to a registry", () => {
  test("asks one thing when the image is there already", async () => {
    const from = memoryStore();
    const root = await randomImage(from, 1);
    await copyImage(root, from, repository("a"), { tags: ["v1"] });
    const before = registry.requests.length;
    await copyImage(root, from, repository("a"), { tags: ["v1"] });
    expect(asked().slice(before)).toEqual(["HEAD 200"]);
  });

  test("asks for nothing twice, and puts the root with its name", async () => {
    const from = memoryStore();
    const root = await randomImage(from, 1, { layers: 2 });
    await copyImage(root, from, repository("a"), { tags: ["v1"] });
    expect(asked().toSorted()).toEqual(
      [
        "HEAD 404",
        ...Array.from({ length: 3 }, () => ["HEAD 404", "POST 202", "PUT 201"]).flat(),
        "PUT 201",
      ].toSorted(),
    );
    expect(registry.requests.at(-1)?.path).toBe("/v2/a/manifests/v1");
    const before = registry.requests.length;
    await copyImage(root, from, repository("a"), { tags: ["v1", "v2", "v3"] });
    expect(registry.requests.slice(before).filter(({ method }) => method !== "HEAD")).toMatchObject([
      { method: "PUT", path: `/v2/a/manifests/${root.digest}?tag=v2&tag=v3` },
    ]);
    await validateImage(await repository("a").resolve("v3"), repository("a"));
  });

  test("asks for what a new root cannot be without, and for its tag only if that is there", async () => {
    const from = memoryStore();
    const root = await randomIndex(from, 1);
    const options = { tags: ["v1"], isNew: () => true };
    await copyImage(root, from, repository("a"), options);
    expect(
      registry.requests.filter(({ method, path }) => method === "HEAD" && path.includes("/manifests/")),
    ).toEqual([]);
    await validateImage(await repository("a").resolve("v1"), repository("a"));
    const before = registry.requests.length;
    await copyImage(root, from, repository("a"), options);
    expect(
      asked()
        .slice(before)
        .every((line) => line === "HEAD 200"),
    ).toBe(true);
    expect(registry.requests.at(-1)?.path).toBe("/v2/a/manifests/v1");
  });

  test("moves a tag back to a root that is there, though it was said to be new", async () => {
    const from = memoryStore();
    const [one, two] = [await randomImage(from, 1), await randomImage(from, 2)];
    for (const root of [one, two, one]) {
      await copyImage(root, from, repository("a"), { tags: ["v1"], isNew: () => true });
      expect((await repository("a").resolve("v1")).digest).toBe(root.digest);
    }
  });

  test("takes over without a question what came with what was missing", async () => {
    const from = memoryStore();
    const root = await randomImage(from, 1, { layers: 5 });
    await copyImage(root, from, repository("base"));
    const before = registry.requests.length;
    await copyImage(root, from, repository("app"), { mountFrom: fromBase });
    const requests = registry.requests.slice(before).filter(({ path }) => path.includes("/blobs/"));
    // The configuration and the first layer.
    expect(requests.filter(({ method }) => method === "HEAD")).toHaveLength(2);
    expect(requests.filter(({ path }) => path.includes("mount="))).toHaveLength(5);
  });

  test("asks for each where the first was there, and sends what cannot be taken over", async () => {
    const from = memoryStore();
    const root = await randomImage(from, 1, { layers: 3 });
    await copyImage(root, from, repository("app"));
    const before = registry.requests.length;
    const next = await randomImage(from, 1, { layers: 4 });
    await copyImage(next, from, repository("app"), { mountFrom: fromBase });
    const requests = registry.requests.slice(before);
    expect(requests.filter(({ path }) => path.includes("mount="))).toHaveLength(1);
    // The layer goes by the upload that the refused mount opened, the configuration by one of its own.
    expect(requests.filter(({ method }) => method === "POST")).toHaveLength(2);
    await validateImage(next, repository("app"));
  });

  test("sends nothing but what changed", async () => {
    const from = memoryStore();
    const [one, two] = [await randomImage(from, 1, { layers: 3 }), await randomImage(from, 1, { layers: 4 })];
    await copyImage(one, from, repository("a"), { tags: ["v1"] });
    const copied: Descriptor[] = [];
    await copyImage(two, from, repository("a"), {
      tags: ["v1"],
      onEvent: (event) => event.kind === "copied" && copied.push(event.target),
    });
    // A layer, a configuration, a manifest.
    expect(copied).toHaveLength(3);
  });

  test("takes layers over from the repository that has them", async () => {
    const from = memoryStore();
    const root = await randomImage(from, 1);
    await copyImage(root, from, repository("base"));
    const kinds: CopyEvent["kind"][] = [];
    await copyImage(root, from, repository("app"), {
      tags: ["v1"],
      mountFrom: () => "base",
      onEvent: ({ kind }) => kind === "progress" || kinds.push(kind),
    });
    expect(kinds).toEqual(["mounted", "mounted", "mounted", "copied"]);
    await validateImage(root, repository("app"));
    expect(registry.openUploads()).toBe(0);
  });

  test("sends layers where the registry does not mount by the upload that it opens, and leaves none open", async () => {
    registry.inject({ kind: "no-mount" });
    const from = memoryStore();
    const root = await randomImage(from, 1);
    await copyImage(root, from, repository("base"));
    const before = registry.requests.length;
    await copyImage(root, from, repository("app"), { tags: ["v1"], mountFrom: () => "base" });
    const requests = registry.requests.slice(before).filter(({ path }) => path.includes("/blobs/"));
    const posts = requests.filter(({ method }) => method === "POST");
    expect(posts.every(({ path }) => path.includes("mount="))).toBe(true);
    expect(posts).toHaveLength(requests.filter(({ method }) => method === "PUT").length);
    expect(requests.filter(({ method }) => method === "DELETE")).toEqual([]);
    await validateImage(root, repository("app"));
    expect(registry.openUploads()).toBe(0);
  });

  test("gives the upload that a refused mount opened up where the blob is there by then, or cannot be read", async () => {
    registry.inject({ kind: "no-mount" });
    const from = memoryStore();
    const root = await randomImage(from, 1, { layers: 1 });
    const target = repository("app");
    let isThere = false;
    const late = { ...target, exists: async () => isThere };
    const mount: typeof target.mount = async (...call) => {
      const mounted = await target.mount(...call);
      isThere = true;
      return mounted;
    };
    await copyImage(root, from, { ...late, mount }, { mountFrom: () => "base" }).catch(() => undefined);
    isThere = false;
    const lost = {
      ...from,
      fetch: (wanted: Descriptor) => {
        if (wanted.digest === root.digest) return from.fetch(wanted);
        throw new Error("the disk is gone");
      },
    };
    await expect(copyImage(root, lost, late, { mountFrom: () => "base" })).rejects.toThrow(
      "the disk is gone",
    );
    expect(registry.openUploads()).toBe(0);
  });

  test("goes from one registry to another without a store between them", async () => {
    const from = memoryStore();
    const root = await randomIndex(from, 1, ["amd64", "arm64", "s390x"]);
    await copyImage(root, from, repository("a"), { tags: ["v1"] });
    await using other = await startRegistry();
    const target = client.repository(`${other.host}/b`);
    await copyImage(root, repository("a"), target, { tags: ["v1"] });
    const questions = other.requests.filter(({ method }) => method === "HEAD").map(({ path }) => path);
    expect(questions).toEqual([...new Set(questions)]);
    expect((await target.resolve("v1")).digest).toBe(root.digest);
    await validateImage(root, target);
  });

  test("does not take bytes over that were changed on their way", async () => {
    const from = memoryStore();
    const root = await randomImage(from, 1);
    await copyImage(root, from, repository("a"), { tags: ["v1"] });
    registry.inject({ kind: "corrupt", path: /\/blobs\/sha256:/ });
    const to = memoryStore();
    await expect(copyImage(root, repository("a"), to, { tags: ["v1"] })).rejects.toMatchObject({
      code: "DIGEST_MISMATCH",
    });
    await expect(to.resolve("v1")).rejects.toMatchObject({ code: "MANIFEST_UNKNOWN" });
  });

  test("follows blobs to another origin", async () => {
    const storage = memoryStorage();
    await using storageServer = await startRegistry({ storage });
    await using front = await startRegistry({
      storage,
      faults: [{ kind: "redirect", method: "GET", path: /\/blobs\/sha256:/, to: storageServer.url }],
    });
    const from = memoryStore();
    const root = await randomImage(from, 1);
    await copyImage(root, from, client.repository(`${front.host}/a`));
    await validateImage(root, client.repository(`${front.host}/a`));
    expect(storageServer.requests.map(({ method, status }) => `${method} ${status}`)).toEqual([
      "GET 200",
      "GET 200",
      "GET 200",
    ]);
  });

  test("stops in the middle when it is aborted, and goes on from there", async () => {
    const from = memoryStore();
    const root = await randomImage(from, 1, { layers: 8, bytes: 200_000 });
    const controller = new AbortController();
    const copied = copyImage(root, from, repository("a"), {
      tags: ["v1"],
      signal: controller.signal,
      onEvent: ({ kind }) => kind === "copied" && controller.abort(new Error("enough")),
    });
    await expect(copied).rejects.toThrow("enough");
    expect(registry.openUploads()).toBe(0);
    await expect(repository("a").resolve("v1")).rejects.toMatchObject({ code: "MANIFEST_UNKNOWN" });
    const before = registry.requests.length;
    await copyImage(root, from, repository("a"), { tags: ["v1"] });
    const existed = registry.requests
      .slice(before)
      .filter(({ method, status }) => method === "HEAD" && status === 200);
    expect(existed.length).toBeGreaterThan(0);
    await validateImage(root, repository("a"));
  });

  test.each([1, 2, 3, 4, 5])("brings everything over a bad line: seed %i", async (seed) => {
    const from = memoryStore();
    const root = await randomIndex(from, seed, ["amd64", "arm64", "s390x", "riscv64"]);
    const random = randomNumbers(seed);
    const sometimes = (): boolean => random() < 0.05;
    registry.inject(
      { kind: "status", status: 503, when: sometimes },
      { kind: "status", status: 429, retryAfter: "0", when: sometimes },
      { kind: "cut", after: 10, when: sometimes },
      { kind: "cut", after: "nothing", when: sometimes },
      { kind: "cut-upload", after: 10, when: sometimes },
    );
    await copyImage(root, from, repository("a"), { tags: ["v1"] });
    const to = memoryStore();
    await copyImage(root, repository("a"), to, { tags: ["v1"] });
    await validateImage(root, to);
  });
});

/** Numbers from 0 to below 1, the same for the same seed. */
function randomNumbers(seed: number): () => number {
  const bytes = Buffer.from(randomBytes(`numbers-${seed}`, 400_000));
  let at = 0;
  return () => bytes.readUInt32LE((at++ * 4) % 400_000) / 2 ** 32;
}

describe("layeredSource", () => {
  const blob = (text: string): Descriptor => ({
    mediaType: "a/b",
    digest: digestOf(text),
    size: text.length,
  });
  const bytes = (text: string) => contentOf(new TextEncoder().encode(text));

  test("gives content from the first source that has it", async () => {
    const [first, second] = [memoryStore(), memoryStore()];
    await first.push(blob("one"), bytes("one"));
    await second.push(blob("two"), bytes("two"));
    const source = layeredSource(first, second);
    expect(Buffer.from(await readAll(source.fetch(blob("one")))).toString()).toBe("one");
    expect(Buffer.from(await readAll(source.fetch(blob("two")))).toString()).toBe("two");
    expect(await source.exists(blob("two"))).toBe(true);
    expect(await source.exists(blob("three"))).toBe(false);
    await expect(readAll(source.fetch(blob("three")))).rejects.toMatchObject({ code: "BLOB_UNKNOWN" });
  });
});
