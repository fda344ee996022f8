import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { contentOf, readAll } from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { bunzip2 } from "./bzip2.ts";

function has(program: string): boolean {
  try {
    execFileSync(program, ["--help"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function bzip2(bytes: Uint8Array, ...flags: readonly string[]): Buffer {
  return execFileSync("bzip2", ["-c", ...flags], { input: bytes, maxBuffer: 1 << 28 });
}

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

describe.skipIf(!has("bzip2"))("what bzip2 has written is read", () => {
  test.each([
    ["nothing", Buffer.alloc(0)],
    ["one byte", Buffer.from("a")],
    ["a text", Buffer.from("She sells sea shells by the sea shore. ".repeat(1000))],
    ["runs of every length", Buffer.concat(Array.from({ length: 600 }, (_, at) => Buffer.alloc(at, at % 3)))],
    ["one long run", Buffer.alloc(3_000_000, 7)],
    ["random bytes", randomBytes(1_500_000)],
  ])("%s", async (_, bytes) => {
    for (const level of ["-1", "-9"]) {
      const read = Buffer.from(await readAll(bunzip2(inPieces(bzip2(bytes, level), 10_007))));
      expect(read.equals(bytes)).toBe(true);
    }
  });

  test("several streams are one", async () => {
    const bytes = Buffer.concat([bzip2(Buffer.from("one, ")), bzip2(Buffer.from("two"), "-1")]);
    expect(Buffer.from(await readAll(bunzip2(inPieces(bytes, 1)))).toString()).toBe("one, two");
  });

  test("streams of other block sizes follow each other", async () => {
    const parts = ["-9", "-1", "-5", "-9"].map((level) => ({ level, bytes: randomBytes(250_000) }));
    const packed = Buffer.concat(parts.map(({ level, bytes }) => bzip2(bytes, level)));
    const expected = Buffer.concat(parts.map(({ bytes }) => bytes));
    expect(Buffer.from(await readAll(bunzip2(inPieces(packed, 10_007)))).equals(expected)).toBe(true);
  });

  test("content that is cut off or changed is refused, wherever that is", async () => {
    const plain = Buffer.from("She sells sea shells by the sea shore.".repeat(20));
    const bytes = bzip2(plain);
    for (let at = 0; at < bytes.byteLength; at++) {
      await expect(readAll(bunzip2(contentOf(bytes.subarray(0, at))))).rejects.toMatchObject({
        code: "LAYER_INVALID",
      });
    }
    for (let at = 0; at < bytes.byteLength; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      // What fills the last byte means nothing.
      const read = await readAll(bunzip2(contentOf(changed))).catch((error: unknown) => error);
      if (read instanceof Uint8Array) expect(Buffer.from(read).equals(plain)).toBe(true);
      else expect(read).toMatchObject({ code: "LAYER_INVALID" });
    }
  });
});
