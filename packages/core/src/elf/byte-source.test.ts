import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { bytesSource, contentSource, fileSource, type ByteSource } from "./byte-source.ts";

const directory = mkdtempSync(join(tmpdir(), "undocked-source-"));
const path = join(directory, "file");
const bytes = Buffer.from("0123456789");
writeFileSync(path, bytes);

afterAll(() => rmSync(directory, { recursive: true }));

const content = {
  size: 10,
  async *stream() {
    yield bytes;
  },
  readAt: (position: number, length: number) => bytes.subarray(position, position + length),
};

test.each<[name: string, open: () => ByteSource | undefined | Promise<ByteSource>]>([
  ["bytes", () => bytesSource(bytes)],
  ["a file", () => fileSource(path)],
  ["a tree's file", () => contentSource(content)],
])("%s is read anywhere, and to its end", async (_, open) => {
  const source = await open();
  expect(source?.size).toBe(10);
  expect(Buffer.from((await source?.read(3, 4)) ?? []).toString()).toBe("3456");
  expect(Buffer.from((await source?.read(8, 9)) ?? []).toString()).toBe("89");
  if (source !== undefined && Symbol.asyncDispose in source) {
    await (source as AsyncDisposable)[Symbol.asyncDispose]();
  }
});

test("a file without random access has no source", () => {
  expect(contentSource({ size: 10, stream: () => content.stream() })).toBeUndefined();
});

test("a directory is refused, and a missing file told", async () => {
  await expect(fileSource(directory)).rejects.toMatchObject({ code: "FILE_KIND_UNSUPPORTED" });
  await expect(fileSource(join(directory, "none"))).rejects.toMatchObject({ code: "ENOENT" });
});
