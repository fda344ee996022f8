import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  cachedSource,
  children,
  contentOf,
  copyImage,
  digestOf,
  dockerArchive,
  encodeJson,
  MediaType,
  memoryStore,
  ociArchive,
  ociLayout,
  openDockerArchive,
  openOciArchive,
  parseManifestDocument,
  readAll,
  registryClient,
  type BlobSink,
  type LocalStore,
  type BlobSource,
  type Descriptor,
  type ArchiveSink,
  type ArchiveSource,
  type ReferrerSource,
  type Resolver,
  type Tagger,
} from "@undocked/registry";
import { startRegistry } from "@undocked/registry/server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  randomArtifact,
  randomBytes,
  randomImage,
  randomIndex,
  validateImage,
} from "../support/random-image.ts";

type Store = LocalStore & Resolver & Tagger & Partial<ReferrerSource>;

interface Opened {
  readonly store: Store;
  readonly close: () => Promise<void>;
}

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "undocked-store-"));
});
afterEach(() => rm(directory, { recursive: true }));

/** What every store must do is below; a new store is one line here. */
const stores: readonly (readonly [name: string, open: () => Promise<Opened>])[] = [
  ["memory", async () => ({ store: memoryStore(), close: async () => {} })],
  ["an OCI layout", async () => ({ store: ociLayout(join(directory, "layout")), close: async () => {} })],
  ["an oci-archive being made", () => archive(ociArchive(join(directory, "image.tar")))],
  ["a docker-archive being made", () => archive(dockerArchive(join(directory, "image.tar")))],
  ["a registry in memory", () => remote("memory")],
  ["a registry on a directory", () => remote(join(directory, "registry"))],
  ["a registry behind a cache in memory", () => cached(memoryStore())],
  ["a registry behind a cache in a layout", () => cached(ociLayout(join(directory, "cache")))],
];

async function archive(opening: Promise<ArchiveSink & Partial<ReferrerSource>>): Promise<Opened> {
  const store = await opening;
  return { store, close: async () => store[Symbol.asyncDispose]() };
}

async function cached(cache: BlobSource & BlobSink): Promise<Opened> {
  const { store, close } = await remote("memory");
  return { store: { ...store, ...cachedSource(store, cache) }, close };
}

async function remote(storage: string): Promise<Opened> {
  const registry = await startRegistry({ storage });
  const client = registryClient({ credentials: "anonymous" });
  return {
    store: client.repository(`${registry.host}/contract/store`),
    close: async () => {
      await client[Symbol.asyncDispose]();
      expect(registry.requests.filter(({ status, error }) => status === 500 || error !== undefined)).toEqual(
        [],
      );
      await registry.close();
    },
  };
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const blobOf = (bytes: Uint8Array, mediaType = "application/octet-stream"): Descriptor => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.byteLength,
});

describe.each(stores)("%s", (_, open) => {
  let store: Store;
  let close: () => Promise<void>;
  beforeEach(async () => {
    ({ store, close } = await open());
  });
  afterEach(() => close());

  test.each([
    ["some bytes", text("hello")],
    ["no bytes", new Uint8Array(0)],
    ["three megabytes", randomBytes("large", 3_000_000)],
  ])("gives back %s", async (_, bytes) => {
    const blob = blobOf(bytes);
    expect(await store.exists(blob)).toBe(false);
    await store.push(blob, contentOf(bytes));
    expect(await store.exists(blob)).toBe(true);
    expect(Buffer.compare(await readAll(store.fetch(blob)), bytes)).toBe(0);
  });

  test.each([
    ["some bytes", text("hello")],
    ["no bytes", new Uint8Array(0)],
    ["ten megabytes", randomBytes("larger", 10_000_000)],
  ])("finds what %s are", async (_, bytes) => {
    const found = await store.ingest("application/octet-stream", contentOf(bytes));
    expect(found).toEqual(blobOf(bytes));
    expect(Buffer.compare(await readAll(store.fetch(found)), bytes)).toBe(0);
    expect(await store.ingest("application/octet-stream", contentOf(bytes))).toEqual(found);
  });

  test("keeps nothing of content that breaks off while it is found", async () => {
    const breaking = async function* () {
      yield text("hello");
      throw new Error("broken");
    };
    await expect(store.ingest("text/plain", breaking())).rejects.toThrow("broken");
    expect(await store.exists(blobOf(text("hello")))).toBe(false);
  });

  test("keeps content under a sha512 too", async () => {
    const bytes = text("hello");
    const blob = { ...blobOf(bytes), digest: digestOf(bytes, "sha512") };
    await store.push(blob, contentOf(bytes));
    expect(Buffer.compare(await readAll(store.fetch(blob)), bytes)).toBe(0);
  });

  test.each([
    ["blob", "application/octet-stream", "BLOB_UNKNOWN"],
    ["manifest", MediaType.ociManifest, "MANIFEST_UNKNOWN"],
  ])("says that a %s is not there", async (_, mediaType, code) => {
    const absent = blobOf(text("absent"), mediaType);
    expect(await store.exists(absent)).toBe(false);
    await expect(readAll(store.fetch(absent))).rejects.toMatchObject({ code });
  });

  test.each([
    ["has other bytes", "hallo", "DIGEST_MISMATCH"],
    ["is shorter", "hell", "SIZE_MISMATCH"],
    ["is longer", "hello!", "SIZE_MISMATCH"],
  ])("does not take content that %s than its descriptor says", async (_, wrong, code) => {
    const blob = blobOf(text("hello"));
    await expect(store.push(blob, contentOf(text(wrong)))).rejects.toMatchObject({ code });
    expect(await store.exists(blob)).toBe(false);
  });

  test("does not give out content of another size than is asked for", async () => {
    const blob = blobOf(text("hello"));
    await store.push(blob, contentOf(text("hello")));
    await expect(readAll(store.fetch({ ...blob, size: 4 }))).rejects.toMatchObject({ code: "SIZE_MISMATCH" });
    await expect(readAll(store.fetch({ ...blob, size: 6 }))).rejects.toMatchObject({ code: "SIZE_MISMATCH" });
  });

  test("has nothing of content whose source broke, and throws the source's error", async () => {
    const blob = blobOf(text("hello"));
    const broken = async function* () {
      yield text("hel");
      throw new Error("the source broke");
    };
    await expect(store.push(blob, broken())).rejects.toThrow("the source broke");
    expect(await store.exists(blob)).toBe(false);
    await store.push(blob, contentOf(text("hello")));
    expect(await store.exists(blob)).toBe(true);
  });

  test("has nothing of content that was aborted", async () => {
    const blob = blobOf(text("hello"));
    const controller = new AbortController();
    const content = async function* () {
      yield text("hel");
      controller.abort(new Error("enough"));
      yield text("lo");
    };
    await expect(store.push(blob, content(), { signal: controller.signal })).rejects.toThrow("enough");
    expect(await store.exists(blob)).toBe(false);
  });

  test("does not begin what was aborted before", async () => {
    const blob = blobOf(text("hello"));
    await store.push(blob, contentOf(text("hello")));
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(readAll(store.fetch(blob, { signal }))).rejects.toThrow("enough");
  });

  test("lets a reader stop early", async () => {
    const bytes = randomBytes("large", 1_000_000);
    const blob = blobOf(bytes);
    await store.push(blob, contentOf(bytes));
    for await (const chunk of store.fetch(blob)) {
      expect(chunk.byteLength).toBeGreaterThan(0);
      break;
    }
    expect(Buffer.compare(await readAll(store.fetch(blob)), bytes)).toBe(0);
  });

  test("takes the same content from several at once", async () => {
    const bytes = randomBytes("large", 500_000);
    const blob = blobOf(bytes);
    await Promise.all(Array.from({ length: 8 }, () => store.push(blob, contentOf(bytes))));
    expect(Buffer.compare(await readAll(store.fetch(blob)), bytes)).toBe(0);
  });

  test("takes different content from several at once", async () => {
    const all = Array.from({ length: 8 }, (_, n) => randomBytes(n, 200_000));
    await Promise.all(all.map((bytes) => store.push(blobOf(bytes), contentOf(bytes))));
    for (const bytes of all) {
      expect(Buffer.compare(await readAll(store.fetch(blobOf(bytes))), bytes)).toBe(0);
    }
  });

  test("names a root, and moves the name", async () => {
    const from = memoryStore();
    const [one, two] = [await randomImage(from, 1), await randomImage(from, 2)];
    await copyImage(one, from, store, { tags: ["a", "b"] });
    await copyImage(two, from, store, { tags: ["b"] });
    expect((await store.resolve("a")).digest).toBe(one.digest);
    expect(await store.resolve("b")).toMatchObject({
      digest: two.digest,
      mediaType: two.mediaType,
      size: two.size,
    });
    await validateImage(two, store);
  });

  test("finds a root by its digest", async () => {
    const from = memoryStore();
    const root = await randomImage(from, 1);
    await copyImage(root, from, store, { tags: ["v1"] });
    expect((await store.resolve(root.digest)).digest).toBe(root.digest);
  });

  test("says that a name is not given", async () => {
    await expect(store.resolve("absent")).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:MANIFEST|NAME)_UNKNOWN$/),
    });
  });

  test("does not name what is not there", async () => {
    const absent = blobOf(encodeJson({ schemaVersion: 2 }), MediaType.ociManifest);
    await expect(store.tag(absent, "a")).rejects.toMatchObject({ code: "MANIFEST_UNKNOWN" });
  });

  test("keeps an index with all its images", async () => {
    const from = memoryStore();
    const root = await randomIndex(from, 1);
    await copyImage(root, from, store, { tags: ["v1"] });
    await validateImage(root, store);
  });

  test.each(["oci", "docker"] as const)("keeps %s documents as they are", async (types) => {
    const from = memoryStore();
    const root = await randomImage(from, 1, { types });
    await copyImage(root, from, store, { tags: ["v1"] });
    expect(Buffer.compare(await readAll(store.fetch(root)), await readAll(from.fetch(root)))).toBe(0);
  });
});

describe.each(stores)("%s that is copied to", (_, open) => {
  let store: Store;
  let close: () => Promise<void>;
  beforeEach(async () => {
    ({ store, close } = await open());
  });
  afterEach(() => close());

  test("goes on where a copy stopped", async () => {
    const from = memoryStore();
    const root = await randomImage(from, 1, { layers: 6 });
    const fetched: string[] = [];
    const breaking = (after: number): BlobSource => ({
      exists: (target) => from.exists(target),
      async *fetch(target, options) {
        if (fetched.length >= after) throw new Error("the source broke");
        fetched.push(target.digest);
        yield* from.fetch(target, options);
      },
    });
    await expect(copyImage(root, breaking(4), store, { tags: ["v1"], concurrency: 1 })).rejects.toThrow(
      "the source broke",
    );
    // The manifest, and three of the seven blobs.
    const done = fetched.splice(0).slice(1);
    const exists: string[] = [];
    await copyImage(root, breaking(100), store, {
      tags: ["v1"],
      onEvent: ({ kind, target }) => kind === "exists" && exists.push(target.digest),
    });
    expect(exists.sort()).toEqual(done.sort());
    expect(fetched).toHaveLength(1 + 7 - 3);
    await validateImage(await store.resolve("v1"), store);
  });
});

const keepers = stores.filter(([name]) => !name.includes("docker-archive"));

describe.each(keepers)("%s that keeps referrers", (_, open) => {
  let store: Store & ReferrerSource;
  let close: () => Promise<void>;
  beforeEach(async () => {
    const opened = await open();
    const { referrers } = opened.store;
    if (referrers === undefined) throw new Error("It knows no referrers.");
    store = { ...opened.store, referrers };
    close = opened.close;
  });
  afterEach(() => close());

  const referrers = async (subject: Descriptor, artifactType?: string): Promise<string[]> => {
    const found: string[] = [];
    const options = artifactType === undefined ? {} : { artifactType };
    for await (const { digest } of store.referrers(subject.digest, options)) found.push(digest);
    return found.sort();
  };

  test("finds what refers to an image, of all types or of one", async () => {
    const from = memoryStore();
    const root = await randomImage(from, 1);
    const signature = await randomArtifact(from, "signature", { subject: root, artifactType: "a/signature" });
    const list = await randomArtifact(from, "list", { subject: root, artifactType: "a/list" });
    await copyImage(root, from, store, { tags: ["v1"] });
    expect(await referrers(root)).toEqual([]);
    await copyImage(signature, from, store);
    await copyImage(list, from, store);
    await copyImage(list, from, store);
    expect(await referrers(root)).toEqual([signature.digest, list.digest].sort());
    expect(await referrers(root, "a/list")).toEqual([list.digest]);
    expect(await referrers(signature)).toEqual([]);
  });

  test("takes an image over with what refers to it, and again what has come since", async () => {
    const from = memoryStore();
    const root = await randomIndex(from, 1);
    const [child] = [...(await childrenOf(root, from))];
    if (child === undefined) throw new Error("The index is empty.");
    const list = await randomArtifact(from, "list", { subject: child });
    const signature = await randomArtifact(from, "signature", { subject: list });
    await copyImage(root, from, store, { tags: ["v1"], referrers: true });
    expect(await referrers(child)).toEqual([list.digest]);
    expect(await referrers(list)).toEqual([signature.digest]);
    const late = await randomArtifact(from, "late", { subject: root });
    await copyImage(root, from, store, { tags: ["v1"], referrers: true });
    expect(await referrers(root)).toEqual([late.digest]);
    expect((await store.resolve("v1")).digest).toBe(root.digest);
  });
});

async function childrenOf(root: Descriptor, from: BlobSource): Promise<readonly Descriptor[]> {
  return children(parseManifestDocument(await readAll(from.fetch(root)), root.mediaType));
}

const sources: readonly (readonly [
  name: string,
  write: (path: string) => Promise<ArchiveSink>,
  read: (path: string) => Promise<ArchiveSource>,
  tag: string,
])[] = [
  ["an oci-archive", ociArchive, openOciArchive, "v1"],
  ["a docker-archive", dockerArchive, openDockerArchive, "app:v1"],
];

describe.each(sources)("%s that was written", (_, write, read, tag) => {
  test("gives its image back", async () => {
    const path = join(directory, "image.tar");
    const from = memoryStore();
    const root = await randomImage(from, 1);
    await using sink = await write(path);
    await copyImage(root, from, sink, { tags: [tag] });
    await sink.commit();
    await using source = await read(path);
    const found = await source.resolve(tag);
    await validateImage(found, source);
    const to = memoryStore();
    await copyImage(found, source, to, { tags: ["copied"] });
    await validateImage(await to.resolve("copied"), to);
  });

  test("is whole when its maker is left while it is being committed", async () => {
    const path = join(directory, "image.tar");
    const from = memoryStore();
    const root = await randomImage(from, 1, { bytes: 3_000_000 });
    const written = async (): Promise<void> => {
      await using sink = await write(path);
      await copyImage(root, from, sink, { tags: [tag] });
      // oxlint-disable-next-line typescript/return-await -- that is what is tried
      return sink.commit();
    };
    await written();
    await using source = await read(path);
    await validateImage(await source.resolve(tag), source);
    expect(await readdir(directory)).toEqual(["image.tar"]);
  });
});

test("an oci-archive that was written has what refers to its image", async () => {
  const path = join(directory, "image.tar");
  const from = memoryStore();
  const root = await randomImage(from, 1);
  const signature = await randomArtifact(from, "signature", { subject: root });
  await using sink = await ociArchive(path);
  await copyImage(root, from, sink, { tags: ["v1"], referrers: true });
  await sink.commit();
  await using source = await openOciArchive(path);
  const to = memoryStore();
  await copyImage(await source.resolve("v1"), source, to, { referrers: true });
  const found: string[] = [];
  for await (const { digest } of to.referrers(root.digest)) found.push(digest);
  expect(found).toEqual([signature.digest]);
});

test("a docker-archive says that it keeps no referrers", async () => {
  const from = memoryStore();
  const root = await randomImage(from, 1);
  await using sink = await dockerArchive(join(directory, "image.tar"));
  await expect(copyImage(root, from, sink, { tags: ["v1"], referrers: true })).rejects.toThrow(
    "The target of the copy keeps no referrers.",
  );
});
