import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { memoryStore, readAll } from "@undocked/registry";
import { writeTar, type TarEntry } from "@undocked/registry/tar";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { layerFiles } from "./layer-files.ts";

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "undocked-test-"));
});
afterEach(() => {
  rmSync(scratch, { recursive: true });
});

function file(path: string, text: string): TarEntry {
  return {
    header: { path, kind: "file", mode: 0o644, uid: 0, gid: 0, mtime: 0, size: Buffer.byteLength(text) },
    body: Buffer.from(text),
  };
}

async function blobOf(...entries: TarEntry[]): Promise<Uint8Array> {
  return gzipSync(await readAll(writeTar(entries)));
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

test("expected files are taken out in one pass, in any order", async () => {
  const blob = await blobOf(file("./a", "first"), file("b/c", "second"), file("d", "third"));
  let passes = 0;
  const read = (): AsyncIterable<Uint8Array> => {
    passes++;
    return once(blob);
  };
  await using files = layerFiles(read, { scratch });
  const contents = [files.open("/d", 5), files.open("/a", 5), files.open("/b/c", 6)];
  for (const content of contents) content.expect?.();
  const texts = [];
  for (const content of contents) texts.push(Buffer.from(await readAll(content.stream())).toString());
  expect(texts).toEqual(["third", "first", "second"]);
  expect(passes).toBe(1);
  expect(Buffer.from(await readAll(files.open("/a", 5).stream())).toString()).toBe("first");
  expect(passes).toBe(1);
});

test("readers at the same time share a pass", async () => {
  const blob = await blobOf(file("a", "first"), file("b", "second"));
  let passes = 0;
  await using files = layerFiles(
    () => {
      passes++;
      return once(blob);
    },
    { scratch },
  );
  const a = files.open("/a", 5);
  const b = files.open("/b", 6);
  b.expect?.();
  await Promise.all([readAll(a.stream()), readAll(b.stream())]);
  expect(passes).toBe(1);
});

test("of several files with one path each is told by those before it", async () => {
  const blob = await blobOf(
    file("a", "first"),
    file("b", "other"),
    file("/a", "second"),
    file("./a", "third"),
  );
  await using files = layerFiles(() => once(blob), { scratch, identity: "id" });
  const contents = [files.open("/a", 5, 2), files.open("/a", 5), files.open("/a", 6, 1)];
  const texts = [];
  for (const content of contents) texts.push(Buffer.from(await readAll(content.stream())).toString());
  expect(texts).toEqual(["third", "first", "second"]);
  expect(new Set(contents.map(({ identity }) => identity)).size).toBe(3);
});

test("bytes of another file are never given", async () => {
  const blob = await blobOf(file("a", "first"), file("b", "other"));
  await using files = layerFiles(() => once(blob), { scratch });
  await expect(readAll(files.open("/a", 8).stream())).rejects.toMatchObject({ code: "LAYER_INVALID" });
});

test("a blob whose digest is wrong gives no file", async () => {
  const store = memoryStore();
  const descriptor = await store.ingest("x", once(await blobOf(file("a", "first"))));
  async function* tampered(): AsyncGenerator<Uint8Array> {
    yield* store.fetch(descriptor);
    throw new Error("digest");
  }
  await using files = layerFiles(tampered, { scratch });
  await expect(readAll(files.open("/a", 5).stream())).rejects.toThrow("digest");
});

test("a file that is not there is told", async () => {
  const blob = await blobOf();
  await using files = layerFiles(() => once(blob), { scratch });
  await expect(readAll(files.open("/a", 5).stream())).rejects.toMatchObject({ code: "LAYER_INVALID" });
});

test("nothing is left behind, and nothing is made when nothing is read", async () => {
  const blob = await blobOf(file("a", "first"));
  {
    await using files = layerFiles(() => once(blob), { scratch });
    files.open("/a", 5);
    expect(readdirSync(scratch)).toEqual([]);
    await readAll(files.open("/a", 5).stream());
    expect(readdirSync(scratch)).toHaveLength(1);
  }
  expect(readdirSync(scratch)).toEqual([]);
});

test("what is read after the end is taken out again, and given back", async () => {
  const blob = await blobOf(file("a", "first"), file("b", "second"));
  let passes = 0;
  const read = (): AsyncIterable<Uint8Array> => {
    passes++;
    return once(blob);
  };
  const files = layerFiles(read, { scratch });
  const contents = [files.open("/a", 5), files.open("/b", 6)];
  for (const content of contents) content.expect?.();
  for (const content of contents) await readAll(content.stream());
  await files[Symbol.asyncDispose]();
  const texts = [];
  for (const content of contents) texts.push(Buffer.from(await readAll(content.stream())).toString());
  expect([texts, passes]).toEqual([["first", "second"], 2]);
  await vi.waitFor(() => expect(readdirSync(scratch)).toEqual([]), { timeout: 30_000 });
});
