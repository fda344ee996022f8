import { gunzipSync } from "node:zlib";
import { digestOf, memoryStore, readAll } from "@undocked/registry";
import { readTar, type TarHeader } from "@undocked/registry/tar";
import { expect, test } from "vitest";
import { bytesContent } from "../context/memory-tree.ts";
import type { Entry } from "./entry.ts";
import { layerTar } from "./layer-tar.ts";
import { makeLayer } from "./make-layer.ts";

const owned = { uid: 0, gid: 0, mtime: 1_600_000_000 };

const entries: Entry[] = [
  { kind: "file", path: "a/b", mode: 0o644, ...owned, content: bytesContent(Buffer.from("content")) },
  { kind: "hardlink", path: "a/c", mode: 0o644, ...owned, linkTarget: "a/b" },
  { kind: "file", path: "a.b", mode: 0, ...owned, mtime: 5, content: bytesContent(Buffer.alloc(0)) },
  { kind: "directory", path: "a", mode: 0o1777, ...owned, uid: 3, gid: 4 },
  { kind: "symlink", path: "l", mode: 0o777, ...owned, linkTarget: "/a" },
  { kind: "whiteout", path: "a/gone" },
  { kind: "whiteout", path: "top" },
  { kind: "character-device", path: "null", mode: 0o666, ...owned, deviceMajor: 1, deviceMinor: 3 },
];

async function headersOf(tar: AsyncIterable<Uint8Array>): Promise<TarHeader[]> {
  const headers = [];
  for await (const { header } of readTar(tar)) headers.push(header);
  return headers;
}

test("members come in byte order, parents first", async () => {
  const headers = await headersOf(layerTar(entries));
  expect(headers.map(({ path }) => path)).toEqual([
    "a",
    "a.b",
    "a/b",
    "a/c",
    "a/.wh.gone",
    "l",
    "null",
    ".wh.top",
  ]);
});

test("attributes are the entries' own, a mode of 0 included", async () => {
  const headers = await headersOf(layerTar(entries));
  expect(headers[0]).toMatchObject({ kind: "directory", mode: 0o1777, uid: 3, gid: 4, mtime: 1_600_000_000 });
  expect(headers[1]?.mode).toBe(0);
  expect(headers[3]).toMatchObject({ kind: "hardlink", linkTarget: "a/b" });
});

test("no time is later than the epoch, and earlier ones stay", async () => {
  const headers = await headersOf(layerTar(entries, { epoch: 100 }));
  expect(headers.map(({ mtime }) => mtime)).toEqual([100, 5, 100, 100, 0, 100, 100, 0]);
});

test("digest, size and DiffID are the blob's and its tar's", async () => {
  const store = memoryStore();
  const { descriptor, diffId } = await makeLayer(store, entries);
  const blob = await readAll(store.fetch(descriptor));
  expect(descriptor.mediaType).toBe("application/vnd.oci.image.layer.v1.tar+gzip");
  expect(digestOf(blob)).toBe(descriptor.digest);
  expect(digestOf(gunzipSync(blob))).toBe(diffId);
});

test("without compression the blob is the tar", async () => {
  const { descriptor, diffId } = await makeLayer(memoryStore(), entries, { compression: "none" });
  expect(descriptor).toMatchObject({ mediaType: "application/vnd.oci.image.layer.v1.tar", digest: diffId });
});

test("S12: the order of entries and their times change nothing", async () => {
  const later = entries.map((entry) =>
    entry.kind === "whiteout" ? entry : { ...entry, mtime: entry.mtime + 99 },
  );
  const one = await makeLayer(memoryStore(), entries, { epoch: 0 });
  expect(await makeLayer(memoryStore(), later.reverse(), { epoch: 0 })).toEqual(one);
});

test("byte format 1: a golden layer", async () => {
  const { descriptor, diffId } = await makeLayer(memoryStore(), entries, { epoch: 0 });
  expect({ digest: descriptor.digest, size: descriptor.size, diffId }).toMatchInlineSnapshot(`
    {
      "diffId": "sha256:f0600ac0d77c197b156e709679478d95914a4cf64b4f3908006ccaacd47a627d",
      "digest": "sha256:458fd78f438dee2291f2453a5b3633d47df127d894393e0f3be6d80a0277c8fa",
      "size": 279,
    }
  `);
});

test("an empty layer is a tar without members", async () => {
  const { diffId } = await makeLayer(memoryStore(), []);
  expect(diffId).toBe(digestOf(Buffer.alloc(1024)));
});

test("an abort in the middle ends the reading of files", async () => {
  const abort = new AbortController();
  let closed = false;
  const content = {
    size: 2 ** 40,
    async *stream() {
      try {
        for (let at = 0; ; at++) {
          if (at === 20) abort.abort(new Error("enough"));
          yield Buffer.alloc(1024 * 1024);
        }
      } finally {
        closed = true;
      }
    },
  };
  const huge: Entry = { kind: "file", path: "huge", mode: 0o644, ...owned, content };
  await expect(makeLayer(memoryStore(), [huge], { signal: abort.signal })).rejects.toThrow("enough");
  expect(closed).toBe(true);
});

test("all contents of one layer are expected before the first is read", async () => {
  const calls: string[] = [];
  const content = (name: string) => ({
    size: 1,
    expect: () => calls.push(`expect ${name}`),
    async *stream() {
      calls.push(`read ${name}`);
      yield Buffer.from("x");
    },
  });
  const files = ["a", "b"].map((path): Entry => ({
    kind: "file",
    path,
    mode: 0o644,
    ...owned,
    content: content(path),
  }));
  await makeLayer(memoryStore(), files);
  expect(calls).toEqual(["expect a", "expect b", "read a", "read b"]);
});
