import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { gunzipped } from "./gunzip.ts";
import { contentOf, readAll } from "./verify.ts";

const plain = Buffer.from("hello ".repeat(100_000));
const zipped = gzipSync(plain);

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

describe("gunzipped", () => {
  test("gives what was zipped, however it is cut into pieces", async () => {
    for (const size of [1, 100, zipped.byteLength]) {
      expect(Buffer.compare(await readAll(gunzipped(inPieces(zipped, size))), plain)).toBe(0);
    }
  });

  test("reads several members as one", async () => {
    const both = Buffer.concat([gzipSync("one"), gzipSync("two")]);
    expect(Buffer.from(await readAll(gunzipped(contentOf(both)))).toString()).toBe("onetwo");
  });

  test.each([
    ["no gzip", Buffer.from("hello")],
    ["cut off", zipped.subarray(0, -20)],
    ["damaged", Buffer.concat([zipped.subarray(0, -8), Buffer.alloc(8)])],
  ])("throws for content that is %s", async (_, bytes) => {
    await expect(readAll(gunzipped(contentOf(bytes)))).rejects.toMatchObject({ code: "TAR_INVALID" });
  });

  test("ends where the compressed content ends", async () => {
    const more = inPieces(Buffer.concat([zipped, Buffer.alloc(5_000_000)]), 1000);
    expect(Buffer.compare(await readAll(gunzipped(more)), plain)).toBe(0);
  });

  test("throws the source's own error", async () => {
    const broken = async function* () {
      yield zipped.subarray(0, 10);
      throw new Error("the source broke");
    };
    await expect(readAll(gunzipped(broken()))).rejects.toThrow("the source broke");
  });

  test("lets the source go when its reader stops", async () => {
    let released = false;
    const reader = gunzipped(endless(() => (released = true)));
    for await (const chunk of reader) {
      expect(chunk.byteLength).toBeGreaterThan(0);
      break;
    }
    await expect.poll(() => released).toBe(true);
  });
});

async function* endless(onReturn: () => void): AsyncGenerator<Uint8Array, void, void> {
  try {
    for (;;) yield zipped;
  } finally {
    onReturn();
  }
}
