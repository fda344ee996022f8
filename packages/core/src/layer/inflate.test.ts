import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { readAll } from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { compressionOf, inflated } from "./inflate.ts";

const text = Buffer.from("some text of a layer\n".repeat(10_000));

async function* pieces(bytes: Uint8Array, length = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += length) yield bytes.subarray(at, at + length);
}

describe("reads", () => {
  test.each([
    ["plain bytes", text],
    ["gzip", gzipSync(text)],
    ["two gzip members", Buffer.concat([gzipSync(text.subarray(0, 99)), gzipSync(text.subarray(99))])],
  ])("%s, in pieces of any length", async (_, bytes) => {
    for (const length of [1, 7, 1000, 1_000_000]) {
      expect(Buffer.compare(await readAll(inflated(pieces(bytes, length))), text)).toBe(0);
    }
  });

  test("nothing", async () => {
    expect(await readAll(inflated(pieces(Buffer.alloc(0))))).toHaveLength(0);
  });

  for (const program of ["bzip2", "xz", "zstd"]) {
    test.skipIf(!hasProgram(program))(`${program}, in pieces of any length`, async () => {
      const bytes = execFileSync(program, ["-c"], { input: text });
      for (const length of [1, 7, 1000, 1_000_000]) {
        expect(Buffer.compare(await readAll(inflated(pieces(bytes, length))), text)).toBe(0);
      }
    });
  }

  for (const program of ["bzip2", "xz"]) {
    test.skipIf(!hasProgram(program))(`${program} that is cut off or damaged is refused`, async () => {
      const bytes = execFileSync(program, ["-c"], { input: text });
      const damaged = Buffer.from(bytes);
      damaged.fill(0xff, 60, 70);
      for (const wrong of [bytes.subarray(0, -20), damaged])
        await expect(readAll(inflated(pieces(wrong)))).rejects.toMatchObject({ code: "LAYER_INVALID" });
    });
  }

  test.skipIf(!hasProgram("xz"))("several streams of xz with zeros between, and nothing else", async () => {
    const first = execFileSync("xz", ["-c"], { input: text.subarray(0, 99) });
    const second = execFileSync("xz", ["-c", "-9"], { input: text.subarray(99) });
    const both = Buffer.concat([first, Buffer.alloc(8), second, Buffer.alloc(4)]);
    for (const length of [1, 7, first.byteLength, 1000, 1_000_000]) {
      expect(Buffer.compare(await readAll(inflated(pieces(both, length))), text)).toBe(0);
    }
    const wrong = Buffer.concat([first, Buffer.from("more")]);
    await expect(readAll(inflated(pieces(wrong)))).rejects.toMatchObject({ code: "LAYER_INVALID" });
  });
});

function hasProgram(name: string): boolean {
  return spawnSync(name, ["--version"], { input: "" }).status === 0;
}

test.each([
  ["bzip2", "425a683931"],
  ["xz", "fd377a585a00"],
  ["zstd", "28b52ffd00"],
  ["zstd", "502a4d1800"],
  ["gzip", "1f8b08"],
  ["none", "7573746172"],
  ["none", ""],
])("%s is known by %j", (kind, hex) => {
  expect(compressionOf(Buffer.from(hex, "hex"))).toBe(kind);
});

test("gzip that is cut off is refused", async () => {
  const bytes = gzipSync(text).subarray(0, -20);
  await expect(readAll(inflated(pieces(bytes)))).rejects.toMatchObject({ code: "LAYER_INVALID" });
});

test("gzip that is damaged is refused", async () => {
  const bytes = gzipSync(text);
  bytes.fill(0xff, 30, 60);
  await expect(readAll(inflated(pieces(bytes)))).rejects.toMatchObject({ code: "LAYER_INVALID" });
});

test.each([1, 100, 4096, 1_000_000])(
  "zeros after gzip, in pieces of %i, neither stop nor spoil the reading",
  async (length) => {
    let ended = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      yield* pieces(Buffer.concat([gzipSync(text), Buffer.alloc(100_000)]), length);
      ended = true;
    }
    const bytes = await readAll(inflated(source()));
    expect(Buffer.compare(bytes, text)).toBe(0);
    expect(ended).toBe(true);
  },
);

test.each([1, 100, 4096, 1_000_000])("rubbish after gzip, in pieces of %i, is refused", async (length) => {
  const bytes = Buffer.concat([gzipSync(text), Buffer.alloc(100_000, "rubbish")]);
  await expect(readAll(inflated(pieces(bytes, length)))).rejects.toMatchObject({ code: "LAYER_INVALID" });
});

test("a source's error at its very end comes out, as a wrong digest would", async () => {
  const wrong = new Error("digest");
  async function* source(): AsyncGenerator<Uint8Array> {
    yield* pieces(gzipSync(text));
    throw wrong;
  }
  await expect(readAll(inflated(source()))).rejects.toBe(wrong);
});

test("a gzip bomb is passed on piece by piece, and can be left", async () => {
  const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024));
  let largest = 0;
  let seen = 0;
  for await (const chunk of inflated(pieces(bomb, bomb.byteLength))) {
    largest = Math.max(largest, chunk.byteLength);
    seen += chunk.byteLength;
    if (seen > 64 * 1024 * 1024) break;
  }
  expect(largest).toBeLessThanOrEqual(512 * 1024);
});

test("a gzip bomb that nobody reads on takes no more memory", async () => {
  const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024));
  const before = process.memoryUsage().arrayBuffers;
  const reading = inflated(pieces(bomb, bomb.byteLength));
  await reading.next();
  // Time enough to inflate all of it.
  await setTimeout(500);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
  await reading.return();
});

test("what was inflated before the content's damage comes out before the error", async () => {
  const noise = randomBytes(3 * 1024 * 1024);
  const bytes = gzipSync(noise);
  bytes.fill(0xff, bytes.byteLength - 1000, bytes.byteLength - 900);
  const seen: Uint8Array[] = [];
  const reading = (async () => {
    for await (const chunk of inflated(pieces(bytes, 64 * 1024))) seen.push(chunk);
  })();
  await expect(reading).rejects.toMatchObject({ code: "LAYER_INVALID" });
  const got = Buffer.concat(seen);
  expect(got.byteLength).toBeGreaterThan(2 * 1024 * 1024);
  expect(noise.subarray(0, 2 * 1024 * 1024).equals(got.subarray(0, 2 * 1024 * 1024))).toBe(true);
});

test("damaged content is told before the source's own error behind it", async () => {
  const bytes = gzipSync(text);
  bytes.fill(0xff, 30, 60);
  async function* source(): AsyncGenerator<Uint8Array> {
    yield bytes;
    throw new Error("digest");
  }
  await expect(readAll(inflated(source()))).rejects.toMatchObject({ code: "LAYER_INVALID" });
});

test("a source may use its chunk's memory again", async () => {
  const bytes = gzipSync(randomBytes(2 * 1024 * 1024));
  const memory = Buffer.alloc(10_000);
  async function* source(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.byteLength; at += memory.byteLength)
      yield memory.subarray(0, bytes.copy(memory, 0, at));
  }
  expect(await readAll(inflated(source()))).toHaveLength(2 * 1024 * 1024);
});
