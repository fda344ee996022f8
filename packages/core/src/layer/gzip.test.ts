import { gunzipSync } from "node:zlib";
import { digestOf, readAll } from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { blockFiller, blockPool } from "./blocks.ts";
import { BLOCK_SIZE, gzipBlocks } from "./gzip.ts";

async function* pieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += length) yield bytes.subarray(at, at + length);
}

async function* inBlocks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const blocks = blockFiller(blockPool(BLOCK_SIZE));
  for await (const chunk of chunks) {
    blocks.put(chunk);
    for (let block = blocks.full(); block !== undefined; block = blocks.full()) yield block;
  }
  const rest = blocks.rest();
  if (rest !== undefined) yield rest;
}

function gzipped(bytes: Uint8Array, length = 65_536): Promise<Uint8Array> {
  return readAll(gzipBlocks(inBlocks(pieces(bytes, length))));
}

/** xorshift32: the same on every machine. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 0x2545f491;
  for (let at = 0; at < length; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes.writeInt32LE(state | 0, Math.min(at, length - 4));
  }
  return bytes;
}

const text = Buffer.from("the same line again and again\n".repeat(300_000)).subarray(
  0,
  3 * BLOCK_SIZE + 12_345,
);

describe("any gunzip reads it", () => {
  test.each([
    ["nothing", Buffer.alloc(0)],
    ["one byte", Buffer.from("x")],
    ["a block and no more", text.subarray(0, BLOCK_SIZE)],
    ["a block and one byte", text.subarray(0, BLOCK_SIZE + 1)],
    ["several blocks", text],
    ["noise", noise(2 * BLOCK_SIZE + 99_999)],
    [
      "noise among text",
      Buffer.concat([text.subarray(0, BLOCK_SIZE), noise(BLOCK_SIZE), text.subarray(0, 5)]),
    ],
  ])("%s", async (_, bytes) => {
    expect(Buffer.compare(gunzipSync(await gzipped(bytes)), bytes)).toBe(0);
  });
});

test("the bytes do not depend on how the input is cut", async () => {
  const whole = digestOf(await gzipped(text, text.byteLength));
  for (const length of [777, 65_536, BLOCK_SIZE - 1])
    expect(digestOf(await gzipped(text, length))).toBe(whole);
});

test("each block's bytes are the same wherever it stands", async () => {
  const block = text.subarray(0, BLOCK_SIZE);
  const one = Buffer.from(await gzipped(block));
  const two = Buffer.from(await gzipped(Buffer.concat([block, block])));
  const deflated = one.subarray(10, -10);
  expect(two.subarray(10, -10).equals(Buffer.concat([deflated, deflated]))).toBe(true);
});

test("noise is stored, which costs five bytes in 65,535", async () => {
  const bytes = noise(BLOCK_SIZE);
  const zipped = await gzipped(bytes);
  expect(zipped.byteLength).toBe(BLOCK_SIZE + 5 * Math.ceil(BLOCK_SIZE / 65_535) + 20);
});

test("base64 text is deflated, although it looks like noise", async () => {
  const bytes = Buffer.from(noise(BLOCK_SIZE).toString("base64")).subarray(0, BLOCK_SIZE);
  expect((await gzipped(bytes)).byteLength).toBeLessThan(BLOCK_SIZE * 0.8);
});

test("byte format 1: golden bytes of a small and a stored input", async () => {
  expect(
    Buffer.from(await gzipped(Buffer.from("hello hello hello\n"))).toString("hex"),
  ).toMatchInlineSnapshot(`"1f8b08000000000000ffca48cdc9c957c840905c00000000ffff03003b7c8adf12000000"`);
  expect(digestOf(await gzipped(noise(100_000)))).toMatchInlineSnapshot(
    `"sha256:c64ebae8fed035a50d233b14a1325cd02e5f307ed8f5e0a9ec18f5a4c005ec8f"`,
  );
  expect(digestOf(await gzipped(text))).toMatchInlineSnapshot(
    `"sha256:39a9128fa317065b563b892b510eafce77c2b80ae51be64c21fdece88507735e"`,
  );
});

test("an error of the input comes out unchanged", async () => {
  const broken = new Error("disk");
  async function* source(): AsyncGenerator<Uint8Array> {
    yield text.subarray(0, BLOCK_SIZE);
    throw broken;
  }
  await expect(readAll(gzipBlocks(source()))).rejects.toBe(broken);
});
