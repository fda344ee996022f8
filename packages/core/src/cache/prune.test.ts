import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cacheUsage, pruneCache } from "./prune.ts";

const DAY = 24 * 60 * 60 * 1000;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "undocked-test-"));
  put("content/blobs/sha256/aa", 1000, 30 * DAY);
  put("content/blobs/sha256/bb", 2000, 3 * DAY);
  put("content/blobs/sha256/cc", 4000, 0);
  put("content/oci-layout", 30, 90 * DAY);
  put("indexes/v1/aa", 100, 10 * DAY);
  put("recipes/v1/aa", 10, 3 * DAY);
  put("something/else", 5000, 90 * DAY);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function put(path: string, size: number, age: number): void {
  const at = join(directory, path);
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(at, Buffer.alloc(size));
  const time = new Date(Date.now() - age);
  utimesSync(at, time, time);
}

function left(): string[] {
  const all = ["content/blobs/sha256/aa", "content/blobs/sha256/bb", "content/blobs/sha256/cc"];
  return [...all, "content/oci-layout", "indexes/v1/aa", "recipes/v1/aa", "something/else"].filter((path) =>
    existsSync(join(directory, path)),
  );
}

test("what a cache holds, part by part", async () => {
  expect(await cacheUsage(directory)).toEqual({
    content: { files: 3, size: 7000 },
    indexes: { files: 1, size: 100 },
    recipes: { files: 1, size: 10 },
    references: { files: 0, size: 0 },
  });
});

test("a cache that is not there holds nothing, and is pruned of nothing", async () => {
  const nowhere = join(directory, "nowhere");
  expect((await cacheUsage(nowhere)).content).toEqual({ files: 0, size: 0 });
  expect(await pruneCache(nowhere, { maxSize: 0 })).toEqual({ files: 0, size: 0 });
});

test("what is older goes, and nothing that is not the cache's own", async () => {
  expect(await pruneCache(directory, { maxAgeMs: 5 * DAY })).toEqual({ files: 2, size: 1100 });
  expect(left()).toEqual([
    "content/blobs/sha256/bb",
    "content/blobs/sha256/cc",
    "content/oci-layout",
    "recipes/v1/aa",
    "something/else",
  ]);
});

test("of too much, the oldest goes first", async () => {
  expect(await pruneCache(directory, { maxSize: 6110 })).toEqual({ files: 1, size: 1000 });
});

test("what was of use just now stays for the build that uses it", async () => {
  await pruneCache(directory, { maxSize: 0 });
  expect(left()).toEqual(["content/blobs/sha256/cc", "content/oci-layout", "something/else"]);
});

test("without a limit all stays", async () => {
  expect(await pruneCache(directory, {})).toEqual({ files: 0, size: 0 });
});

test("what a killed build did not finish is counted, and goes after an hour", async () => {
  put("content/.ingest.1.tmp", 500, DAY);
  put("content/.ingest.2.tmp", 600, DAY / 48);
  put("recipes/v1/aa.3.tmp", 7, DAY);
  put("something/else.tmp", 8, DAY);
  expect((await cacheUsage(directory)).content).toEqual({ files: 5, size: 8100 });
  expect(await pruneCache(directory, {})).toEqual({ files: 2, size: 507 });
  // It may still be written to.
  await pruneCache(directory, { maxSize: 0 });
  expect(readdirSync(join(directory, "content"), { recursive: true })).toContain(".ingest.2.tmp");
  expect(existsSync(join(directory, "something/else.tmp"))).toBe(true);
});
