import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { digestOf } from "@undocked/registry";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { LayerIndex } from "../rootfs/layer-index.ts";
import { cachedIndex, indexCache } from "./index-cache.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "undocked-test-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const layer = digestOf("layer");
const index: LayerIndex = {
  version: 2,
  collector: "elf-1",
  diffId: digestOf("diff"),
  entries: [
    { path: "/a", kind: "file", mode: 0o644, size: 5, facts: { type: "static" } },
    { path: "/b", kind: "whiteout" },
    { path: "/c", kind: "symlink", linkTarget: "a" },
  ],
  files: { "/etc/passwd": "cm9vdA==" },
};

function folder(): string {
  return join(directory, "v2");
}

test("what was written is read, by another process too", async () => {
  await indexCache(directory).write(layer, index);
  expect(await indexCache(directory).read(layer, "elf-1")).toEqual(index);
  expect(await indexCache(directory).read(layer)).toBeUndefined();
  expect(await indexCache(directory).read(digestOf("other"), "elf-1")).toBeUndefined();
});

test("a file that is damaged, cut off, or of another version counts as missing and is made anew", async () => {
  const cache = indexCache(directory);
  await cache.write(layer, index);
  const [name] = readdirSync(folder());
  const path = join(folder(), name ?? "");
  const good = readFileSync(path);
  const old = Buffer.from(JSON.stringify({ ...index, version: 0 }));
  const bad = [
    good.subarray(0, good.byteLength / 2),
    Buffer.alloc(0),
    Buffer.from("{}"),
    gzipSync("{}"),
    gzipSync(Buffer.concat([Buffer.from(`${layer} ${digestOf("x")}\n`), Buffer.from(JSON.stringify(index))])),
    gzipSync(Buffer.concat([Buffer.from(`${layer} ${digestOf(old)}\n`), old])),
  ];
  for (const bytes of bad) {
    writeFileSync(path, bytes);
    expect(await cache.read(layer, "elf-1")).toBeUndefined();
  }
  expect(await cachedIndex(cache, layer, "elf-1", async () => index)).toEqual(index);
  expect(await cache.read(layer, "elf-1")).toEqual(index);
});

test("another layer's index under a layer's name counts as missing", async () => {
  const cache = indexCache(directory);
  await cache.write(layer, index);
  const [own = ""] = readdirSync(folder());
  const other = digestOf("other");
  await cache.write(other, { ...index, diffId: digestOf("other diff") });
  const foreign = readdirSync(folder()).find((name) => name !== own) ?? "";
  writeFileSync(join(folder(), own), readFileSync(join(folder(), foreign)));
  expect(await cache.read(other, "elf-1")).toBeDefined();
  expect(await cache.read(layer, "elf-1")).toBeUndefined();
});

test("an index that is read is of use now, for what prunes by age", async () => {
  const cache = indexCache(directory);
  await cache.write(layer, index);
  const path = join(folder(), readdirSync(folder())[0] ?? "");
  utimesSync(path, 1000, 1000);
  await cache.read(layer, "elf-1");
  expect(statSync(path).mtimeMs).toBeGreaterThan(1_000_000);
});

test("many writers at once leave one whole file and nothing beside it", async () => {
  await Promise.all(Array.from({ length: 20 }, () => indexCache(directory).write(layer, index)));
  expect(readdirSync(folder())).toHaveLength(1);
  expect(await indexCache(directory).read(layer, "elf-1")).toEqual(index);
});

test("a cached index is not made again", async () => {
  const cache = indexCache(directory);
  let made = 0;
  const make = async (): Promise<LayerIndex> => {
    made++;
    return index;
  };
  await cachedIndex(cache, layer, "elf-1", make);
  await cachedIndex(cache, layer, "elf-1", make);
  expect(made).toBe(1);
});

test("a cache that cannot be written costs no build", async () => {
  writeFileSync(join(directory, "v1"), "in the way");
  expect(await cachedIndex(indexCache(directory), layer, "elf-1", async () => index)).toBe(index);
  expect(await cachedIndex(undefined, layer, "elf-1", async () => index)).toBe(index);
});
