import { describe, expect, test } from "vitest";
import { ContentError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { encodeJson } from "../oci/json.ts";
import { MediaType } from "../oci/media-type.ts";
import { copyImage } from "./copy.ts";
import type { CopyEvent, CopyTarget } from "./graph-copier.ts";
import { layeredSource } from "./layered.ts";
import { memoryStore, type MemoryStore } from "./memory.ts";
import { isReplayable, type BlobSource, type LocalStore } from "./store.ts";
import { contentOf, readAll } from "./verify.ts";

const put = (store: LocalStore, mediaType: string, value: unknown): Promise<Descriptor> =>
  store.ingest(mediaType, contentOf(encodeJson(value)));

async function image(store: LocalStore, layers: readonly Descriptor[], name = "one"): Promise<Descriptor> {
  const config = await put(store, MediaType.ociConfig, { name });
  return put(store, MediaType.ociManifest, { schemaVersion: 2, config, layers });
}
const layer = (store: LocalStore, text: string): Promise<Descriptor> =>
  put(store, MediaType.ociLayer, { text });
const index = (store: LocalStore, manifests: readonly Descriptor[]): Promise<Descriptor> =>
  put(store, MediaType.ociIndex, { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests });

interface Recorded {
  readonly calls: string[];
  readonly store: MemoryStore;
}

function recorded(): Recorded {
  const store = memoryStore();
  const calls: string[] = [];
  const wrap = new Proxy(store, {
    get(target, key: keyof MemoryStore) {
      const value = target[key] as ((...parameters: unknown[]) => unknown) | undefined;
      if (value === undefined) return undefined;
      return (...parameters: unknown[]) => {
        const [subject] = parameters;
        const name = typeof subject === "string" ? subject : (subject as Descriptor).digest;
        calls.push(`${key} ${name}`);
        return value(...parameters);
      };
    },
  });
  return { calls, store: wrap };
}

describe("copyImage", () => {
  test("sends each thing after what it points to", async () => {
    const from = memoryStore();
    const layers = [await layer(from, "a"), await layer(from, "b")];
    const one = await image(from, layers);
    const inner = await index(from, [one]);
    const root = await index(from, [inner, await image(from, layers, "two")]);
    const to = recorded();
    await copyImage(root, from, to.store, { tags: ["t"] });
    const pushes = to.calls.filter((call) => call.startsWith("push")).map((call) => call.slice(5));
    expect(pushes.at(-1)).toBe(root.digest);
    expect(pushes.indexOf(one.digest)).toBeLessThan(pushes.indexOf(inner.digest));
    expect(Math.max(...layers.map(({ digest }) => pushes.indexOf(digest)))).toBeLessThan(
      pushes.indexOf(one.digest),
    );
    expect(to.calls.at(-1)).toBe(`tag ${root.digest}`);
    expect((await to.store.resolve("t")).digest).toBe(root.digest);
  });

  test("sends equal content once", async () => {
    const from = memoryStore();
    const shared = await layer(from, "shared");
    const root = await index(from, [
      await image(from, [shared, shared], "1"),
      await image(from, [shared], "2"),
    ]);
    const to = recorded();
    await copyImage(root, from, to.store);
    expect(to.calls.filter((call) => call === `push ${shared.digest}`)).toHaveLength(1);
  });

  test("asks one thing when the tag has the root already", async () => {
    const from = memoryStore();
    const root = await image(from, [await layer(from, "a")]);
    const to = recorded();
    await copyImage(root, from, to.store, { tags: ["t"] });
    to.calls.length = 0;
    await copyImage(root, from, to.store, { tags: ["t"] });
    expect(to.calls).toEqual(["resolve t"]);
  });

  test("gives a second tag without sending anything", async () => {
    const from = memoryStore();
    const root = await image(from, [await layer(from, "a")]);
    const to = recorded();
    await copyImage(root, from, to.store, { tags: ["t"] });
    to.calls.length = 0;
    await copyImage(root, from, to.store, { tags: ["t", "u"] });
    expect(to.calls).toEqual(["resolve t", "resolve u", `exists ${root.digest}`, `tag ${root.digest}`]);
  });

  test("leaves layers out that must not be distributed", async () => {
    const from = memoryStore();
    const foreign: Descriptor = {
      mediaType: MediaType.dockerForeignLayerGzip,
      digest: `sha256:${"0".repeat(64)}`,
      size: 7,
      urls: ["https://example.invalid/layer"],
    };
    const root = await image(from, [foreign, await layer(from, "a")]);
    const to = recorded();
    await copyImage(root, from, to.store);
    expect(to.calls.join()).not.toContain(foreign.digest);
  });

  test("takes a blob over where the registry has it, and sends it where that fails", async () => {
    const from = memoryStore();
    const [mounted, refused] = [await layer(from, "mounted"), await layer(from, "refused")];
    const root = await image(from, [mounted, refused]);
    const to = memoryStore();
    const target: CopyTarget = {
      ...to,
      async mount(blob, origin) {
        expect(origin).toBe("base");
        return blob.digest === mounted.digest;
      },
    };
    const events: CopyEvent[] = [];
    await copyImage(root, from, target, {
      mountFrom: ({ mediaType }) => (mediaType === MediaType.ociLayer ? "base" : undefined),
      onEvent: (event) => events.push(event),
    });
    const kinds = Object.fromEntries(
      events.filter(({ kind }) => kind !== "progress").map(({ kind, target }) => [target.digest, kind]),
    );
    expect(kinds[mounted.digest]).toBe("mounted");
    expect(kinds[refused.digest]).toBe("copied");
    expect(kinds[root.digest]).toBe("copied");
  });

  test("hands content over that can be read again, and its progress begins again", async () => {
    const from = memoryStore();
    const blob = await layer(from, "a");
    const root = await image(from, [blob]);
    const to = memoryStore();
    const seen: number[] = [];
    const target: CopyTarget = {
      async push(expected, content) {
        expect(isReplayable(content)).toBe(true);
        expect(await readAll(content)).toEqual(await readAll(content));
        await to.push(expected, content);
      },
    };
    await copyImage(root, from, target, {
      onEvent: (event) => {
        if (event.kind === "progress" && event.target.digest === blob.digest) seen.push(event.bytes);
      },
    });
    expect(seen).toEqual([blob.size, blob.size, blob.size]);
  });

  test("is never at more than its concurrency", async () => {
    const from = memoryStore();
    const layers = await Promise.all(Array.from({ length: 20 }, (_, n) => layer(from, String(n))));
    const root = await index(from, [
      await image(from, layers, "1"),
      await image(from, layers.toReversed(), "2"),
    ]);
    let [now, most] = [0, 0];
    const target: CopyTarget = {
      async push(_, content) {
        most = Math.max(most, ++now);
        await readAll(content);
        await new Promise((resolve) => setImmediate(resolve));
        now -= 1;
      },
    };
    await copyImage(root, from, target, { concurrency: 3 });
    expect(most).toBe(3);
  });

  test("throws the first error and stops what is under way", async () => {
    const from = memoryStore();
    const layers = await Promise.all(Array.from({ length: 20 }, (_, n) => layer(from, String(n))));
    const root = await image(from, layers);
    let begun = 0;
    let aborted = 0;
    const target: CopyTarget = {
      async push(expected, _, options) {
        begun += 1;
        if (expected.digest === layers[0]?.digest) throw new ContentError("BLOB_UNKNOWN", "the first error");
        await new Promise((_resolve, reject) => {
          options?.signal?.addEventListener("abort", () => {
            aborted += 1;
            reject(new Error("aborted"));
          });
        });
      },
    };
    await expect(copyImage(root, from, target)).rejects.toThrow("the first error");
    expect(begun).toBeLessThanOrEqual(4);
    expect(aborted).toBe(begun - 1);
  });

  test("ends with the caller's reason when it is aborted", async () => {
    const from = memoryStore();
    const root = await image(from, [await layer(from, "a")]);
    const controller = new AbortController();
    const target: CopyTarget = {
      async push() {
        controller.abort(new Error("enough"));
        controller.signal.throwIfAborted();
      },
    };
    await expect(copyImage(root, from, target, { signal: controller.signal })).rejects.toThrow("enough");
  });

  test("refuses a manifest that is larger than is read", async () => {
    const root: Descriptor = {
      mediaType: MediaType.ociManifest,
      digest: `sha256:${"1".repeat(64)}`,
      size: 2 ** 40,
    };
    await expect(copyImage(root, memoryStore(), memoryStore())).rejects.toMatchObject({
      code: "MANIFEST_INVALID",
    });
  });

  test("refuses indexes without end", async () => {
    const from = memoryStore();
    let root = await image(from, []);
    for (let depth = 0; depth < 12; depth++) root = await index(from, [root]);
    await expect(copyImage(root, from, memoryStore())).rejects.toThrow("indexes within one another");
  });

  test("fails for content that the source does not have", async () => {
    const from = memoryStore();
    const elsewhere = memoryStore();
    const root = await image(from, [await layer(elsewhere, "elsewhere")]);
    await expect(copyImage(root, from, memoryStore())).rejects.toMatchObject({ code: "BLOB_UNKNOWN" });
  });
});

describe("copyImage that converts", () => {
  test.each([
    ["docker", MediaType.dockerManifestList, MediaType.dockerManifest, MediaType.dockerConfig],
    ["oci", MediaType.ociIndex, MediaType.ociManifest, MediaType.ociConfig],
  ] as const)("gives an index and its images the types of %s, and names the new root", async (...row) => {
    const [types, indexType, manifestType, configType] = row;
    const from = memoryStore();
    const other = types === "oci" ? "docker" : "oci";
    const config = await put(from, other === "oci" ? MediaType.ociConfig : MediaType.dockerConfig, {});
    const content = await put(from, other === "oci" ? MediaType.ociLayer : MediaType.dockerLayer, "layer");
    const one = await put(from, other === "oci" ? MediaType.ociManifest : MediaType.dockerManifest, {
      schemaVersion: 2,
      mediaType: other === "oci" ? MediaType.ociManifest : MediaType.dockerManifest,
      config,
      layers: [content],
    });
    const root = await put(from, other === "oci" ? MediaType.ociIndex : MediaType.dockerManifestList, {
      schemaVersion: 2,
      mediaType: other === "oci" ? MediaType.ociIndex : MediaType.dockerManifestList,
      manifests: [one],
    });
    const to = memoryStore();
    const converted = await copyImage(root, from, to, { tags: ["t"], convert: types });
    expect(await to.resolve("t")).toEqual(converted);
    expect(converted.mediaType).toBe(indexType);
    const read = async (target: Descriptor): Promise<Record<string, unknown>> =>
      JSON.parse(new TextDecoder().decode(await readAll(to.fetch(target))));
    const { manifests } = (await read(converted)) as unknown as { manifests: Descriptor[] };
    expect(manifests.map(({ mediaType }) => mediaType)).toEqual([manifestType]);
    expect(await read(manifests[0] as Descriptor)).toMatchObject({
      config: { ...config, mediaType: configType },
      layers: [{ digest: content.digest, size: content.size }],
    });
    expect(await to.exists(root)).toBe(false);
  });

  test("changes nothing of an image that has the types already", async () => {
    const from = memoryStore();
    const root = await image(from, [await layer(from, "a")]);
    const to = recorded();
    expect(await copyImage(root, from, to.store, { tags: ["t"], convert: "oci" })).toEqual(root);
    to.calls.length = 0;
    await copyImage(root, from, to.store, { tags: ["t"], convert: "oci" });
    expect(to.calls).toEqual(["resolve t"]);
  });

  test("does not take over what refers to the image as it was", async () => {
    const from = memoryStore();
    const root = await image(from, []);
    const copied = copyImage(root, from, memoryStore(), { convert: "docker", referrers: true });
    await expect(copied).rejects.toThrow(TypeError);
  });
});

describe("copyImage with what refers to the image", () => {
  const artifact = (store: LocalStore, subject: Descriptor): Promise<Descriptor> =>
    put(store, MediaType.ociManifest, {
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: subject,
      layers: [],
      subject,
    });

  test("names the image once everything is there", async () => {
    const from = memoryStore();
    const config = await put(from, MediaType.ociConfig, {});
    const root = await image(from, []);
    const signature = await put(from, MediaType.ociManifest, {
      schemaVersion: 2,
      config,
      layers: [],
      subject: root,
    });
    const to = recorded();
    await copyImage(root, from, to.store, { tags: ["t"], referrers: true });
    const last = to.calls.slice(-2);
    expect(last).toEqual([`push ${signature.digest}`, `tag ${root.digest}`]);
  });

  test("ends where they go round in a circle", async () => {
    const from = memoryStore();
    const root = await image(from, []);
    const one = await artifact(from, root);
    const source = {
      ...from,
      async *referrers() {
        yield one;
        yield root;
      },
    };
    const to = memoryStore();
    await copyImage(root, source, to, { referrers: true });
    expect(await to.exists(one)).toBe(true);
  });

  test("ends where there are always more", async () => {
    const from = memoryStore();
    const root = await image(from, []);
    const source = {
      ...from,
      async *referrers() {
        for (let number = 0; ; number++) {
          const digest = `sha256:${String(number).padStart(64, "0")}` as const;
          yield { mediaType: "a/b", digest, size: 1 };
        }
      },
    };
    const to: CopyTarget = { ...memoryStore(), exists: async () => true };
    await expect(copyImage(root, source, to, { referrers: true })).rejects.toThrow("no more are followed");
  });

  test("is for sources and targets that know of them", async () => {
    const from = memoryStore();
    const root = await image(from, []);
    const source: BlobSource = layeredSource(from);
    const target: CopyTarget = { push: (expected, content) => from.push(expected, content) };
    await expect(copyImage(root, source, memoryStore(), { referrers: true })).rejects.toThrow(TypeError);
    await expect(copyImage(root, from, target, { referrers: true })).rejects.toThrow(TypeError);
  });
});
