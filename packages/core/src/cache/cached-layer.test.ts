import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { memoryStore, ociLayout, readAll, type LocalStore } from "@undocked/registry";
import { afterEach, beforeEach, expect, test } from "vitest";
import { directoryTree } from "../context/directory-tree.ts";
import { bytesContent } from "../context/memory-tree.ts";
import type { FileContent } from "../context/source-tree.ts";
import type { Entry } from "../layer/entry.ts";
import { makeLayer } from "../layer/make-layer.ts";
import { cachedLayer, type StoredLayer } from "./cached-layer.ts";
import { recipeCache } from "./recipe-cache.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "undocked-test-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Counts how often a file is opened, by whichever way. */
function watched(text: string, identity?: string): FileContent & { opened: number } {
  const bytes = bytesContent(Buffer.from(text));
  const content = {
    size: text.length,
    opened: 0,
    ...(identity === undefined ? {} : { identity }),
    stream() {
      content.opened += 1;
      return bytes.stream();
    },
    readAt(position: number, length: number) {
      content.opened += 1;
      return bytes.readAt?.(position, length) ?? new Uint8Array();
    },
    openFile() {
      content.opened += 1;
      return bytes.openFile?.() ?? { read() {}, close() {} };
    },
  };
  return content;
}

function file(content: FileContent, path = "a"): Entry {
  return { kind: "file", path, mode: 0o644, uid: 0, gid: 0, mtime: 0, content };
}

function layer(entries: readonly Entry[], store: LocalStore, folder = "recipes"): Promise<StoredLayer> {
  return cachedLayer(recipeCache(join(directory, folder)), store, entries, { epoch: 0 });
}

test("what has the same identities is not read again", async () => {
  const store = memoryStore();
  const first = await layer([file(watched("content", "one"))], store);
  const again = watched("content", "one");
  expect({ ...(await layer([file(again)], store)), source: undefined }).toEqual({
    ...first,
    source: undefined,
  });
  expect(again.opened).toBe(0);
});

test("the layer is the one that is made without a cache", async () => {
  const entries = [file(watched("content", "one"))];
  const { descriptor, diffId } = await makeLayer(memoryStore(), entries, { epoch: 0 });
  for (const _ of [1, 2]) {
    expect(await layer(entries, memoryStore())).toMatchObject({ descriptor, diffId });
  }
});

test("other identities and the same bytes: read once, and nothing is compressed", async () => {
  const store = memoryStore();
  const first = await layer([file(watched("content", "one"))], store);
  const ingests: string[] = [];
  const counting: LocalStore = {
    ...store,
    ingest: (type, content, options) => {
      ingests.push(type);
      return store.ingest(type, content, options);
    },
  };
  for (const identity of ["two", undefined]) {
    const content = watched("content", identity);
    expect((await layer([file(content)], counting)).descriptor).toEqual(first.descriptor);
    expect(content.opened).toBe(1);
  }
  expect(ingests).toEqual([]);
  const known = watched("content", "two");
  await layer([file(known)], counting);
  expect(known.opened).toBe(0);
});

test.each<[string, Entry]>([
  ["bytes of the same length", file(watched("CONTENT", "two"))],
  ["name", file(watched("content", "one"), "b")],
  ["mode", { ...file(watched("content", "one")), mode: 0o600 } as Entry],
  ["owner", { ...file(watched("content", "one")), uid: 1 } as Entry],
])("another layer for another %s", async (_, entry) => {
  const first = await layer([file(watched("content", "one"))], memoryStore());
  expect((await layer([entry], memoryStore())).diffId).not.toBe(first.diffId);
});

test("another compression and another epoch are other layers", async () => {
  const recipes = recipeCache(directory);
  const entries = [{ ...file(watched("content", "one")), mtime: 500 }];
  const digests = new Set<string>();
  for (const options of [
    {},
    { epoch: 100 },
    { compression: "none" as const },
    { compression: { type: "gzip" as const, level: 9 } },
  ]) {
    const { descriptor } = await cachedLayer(recipes, memoryStore(), entries, options);
    digests.add(`${descriptor.mediaType} ${descriptor.digest}`);
  }
  expect(digests.size).toBeGreaterThanOrEqual(3);
});

test("a blob that is gone is made when it is read, and not before", async () => {
  const first = await layer([file(watched("content", "one"))], memoryStore());
  const content = watched("content", "one");
  const { descriptor, source } = await layer([file(content)], memoryStore());
  expect(await source.exists(descriptor)).toBe(true);
  expect(content.opened).toBe(0);
  const bytes = await readAll(source.fetch(descriptor));
  expect(bytes).toEqual(await readAll(first.source.fetch(descriptor)));
  expect(content.opened).toBe(1);
});

test("a blob that goes again between two readers is made again", async () => {
  const store = ociLayout(join(directory, "content"));
  const { descriptor, source } = await layer([file(watched("content", "one"))], store);
  const path = join(directory, "content/blobs/sha256", descriptor.digest.slice(7));
  const bytes = readFileSync(path);
  for (let reader = 0; reader < 3; reader += 1) {
    rmSync(path);
    expect(await readAll(source.fetch(descriptor))).toEqual(bytes);
  }
});

test("a blob that is gone and comes out otherwise is an error", async () => {
  await layer([file(watched("content", "one"))], memoryStore());
  const { descriptor, source } = await layer([file(watched("CONTENT", "one"))], memoryStore());
  await expect(readAll(source.fetch(descriptor))).rejects.toThrow("comes out as");
});

test("a damaged blob is repaired for the next reader", async () => {
  const store = ociLayout(join(directory, "content"));
  const entries = [file(watched("content", "one"))];
  const first = await layer(entries, store);
  const path = join(directory, "content/blobs/sha256", first.descriptor.digest.slice(7));
  writeFileSync(path, Buffer.alloc(first.descriptor.size));
  const { descriptor, source } = await layer(entries, store);
  await readAll(source.fetch(descriptor)).catch(() => {});
  expect((await readAll(store.fetch(descriptor))).byteLength).toBe(descriptor.size);
});

test.each<[string, (bytes: string) => string]>([
  ["cut off", (bytes) => bytes.slice(0, -1)],
  ["empty", () => ""],
  ["changed", (bytes) => bytes.replace(/sha256:[0-9a-f]{4}/g, "sha256:0000")],
  ["not text", () => "\u0000".repeat(500)],
])("recipes that are %s are made anew", async (_, damage) => {
  const { descriptor, diffId } = await layer([file(watched("content", "one"))], memoryStore());
  const folder = join(directory, "recipes/v2");
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    writeFileSync(path, damage(readFileSync(path, "utf8")));
  }
  const content = watched("content", "one");
  expect(await layer([file(content)], memoryStore())).toMatchObject({ descriptor, diffId });
  expect(content.opened).toBe(1);
});

test("a cache that cannot be written costs time alone", async () => {
  writeFileSync(join(directory, "recipes"), "in the way");
  const { diffId } = await layer([file(watched("content", "one"))], memoryStore());
  expect(diffId).toMatch(/^sha256:/);
});

test("a file that was changed just now has no identity; one that rests has, and loses it when it is written", async () => {
  const tree = join(directory, "tree");
  mkdirSync(tree);
  writeFileSync(join(tree, "f"), "one");
  expect(directoryTree(tree).open("/f").identity).toBeUndefined();
  await sleep(2100);
  const rested = directoryTree(tree).open("/f").identity;
  expect(rested).toMatch(/^stat:/);
  expect(directoryTree(tree, { identities: "none" }).open("/f").identity).toBeUndefined();
  const { mtime } = statSync(join(tree, "f"));
  writeFileSync(join(tree, "f"), "two");
  // The same size, and the time set back: what git calls racy.
  utimesSync(join(tree, "f"), mtime, mtime);
  expect(directoryTree(tree).open("/f").identity).toBeUndefined();
});
