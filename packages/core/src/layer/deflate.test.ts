import { createCipheriv, createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  formatOneDeflate,
  formatVector,
  isFormatOne,
  nativeDeflate,
  portableDeflate,
  type DeflateBlock,
} from "./deflate.ts";

const isOfficial = await isFormatOne(nativeDeflate);
const LEVELS = [1, 2, 3, 4, 5, 6, 7, 8, 9];

test("the vector is what it was when the format was frozen", () => {
  expect(createHash("sha256").update(formatVector()).digest("hex")).toMatchInlineSnapshot(
    `"b484995a49a2f66cd1bd7f8b1f502efd5f65d9d8b6a2a51e9abf58dfd8b6dd9c"`,
  );
});

test("what compresses is the format's, whatever this system's zlib is", async () => {
  expect(await isFormatOne(formatOneDeflate)).toBe(true);
});

test("pako is the format's", async () => {
  expect(await isFormatOne(portableDeflate)).toBe(true);
});

test("an encoder that differs in one bit is not the format's", async () => {
  const differing: DeflateBlock = async (block, level) => {
    const deflated = Buffer.from(await portableDeflate(block, level));
    deflated.writeUInt8(deflated.readUInt8(100) ^ 1, 100);
    return deflated;
  };
  expect(await isFormatOne(differing)).toBe(false);
});

const text = Buffer.from(Array.from({ length: 40_000 }, (_, at) => `line ${at % 977} of ${at}\n`).join(""));
const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(300_000));

test.skipIf(!isOfficial).each([
  ["nothing", Buffer.alloc(0)],
  ["one byte", Buffer.from("x")],
  ["text", text],
  ["noise", noise],
  ["noise among text", Buffer.concat([text.subarray(0, 100_000), noise, text])],
  ["zeros", Buffer.alloc(2 * 1024 * 1024)],
  ["a program", readFileSync(process.execPath).subarray(0, 1024 * 1024)],
])("pako gives Node's sync-flushed blocks of %s, byte for byte", async (_, block) => {
  for (const level of LEVELS) {
    const [native, portable] = [await nativeDeflate(block, level), await portableDeflate(block, level)];
    expect(Buffer.compare(native, portable), `level ${level}`).toBe(0);
  }
});
