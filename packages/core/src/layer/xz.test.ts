import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readAll } from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { unxz } from "./xz.ts";

/* Against what the xz program writes. */

const noXz = spawnSync("xz", ["--version"]).status !== 0;

function xz(input: Uint8Array, ...options: string[]): Buffer {
  return execFileSync("xz", ["-c", ...options], { input, maxBuffer: 64 * 1024 * 1024 });
}

async function* pieces(bytes: Uint8Array, length = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += length) yield bytes.subarray(at, at + length);
}

/** What came out before the fault, and its code. */
async function untilFault(bytes: Uint8Array): Promise<{ readonly seen: Buffer; readonly code: unknown }> {
  const seen: Uint8Array[] = [];
  try {
    for await (const chunk of unxz(pieces(bytes))) seen.push(chunk);
  } catch (error) {
    return {
      seen: Buffer.concat(seen),
      code: error instanceof Error && "code" in error ? error.code : error,
    };
  }
  return { seen: Buffer.concat(seen), code: undefined };
}

function noise(length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, at) =>
    createHash("sha256").update(`${at}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, length);
}

/** Bytes that instructions of every machine begin and end with, in any order. */
const BRANCHES = [
  0xe8, 0xe9, 0x00, 0xff, 0xeb, 0xf0, 0xf8, 0x48, 0x01, 0x40, 0x7f, 0xc0, 0x90, 0x94, 0xb0, 0xef, 0x17, 0x97,
  0x13, 0x80, 0x55, 0x31, 0x10, 0x11, 0x12, 0x16, 0x18, 0x1c,
];
const branches = noise(300_000).map((byte, at) =>
  at % 3 === 0 ? byte : (BRANCHES[byte % BRANCHES.length] ?? 0),
);
const program = readFileSync(process.execPath).subarray(20_000_000, 21_000_000);

describe.skipIf(noXz)("undoes what xz does before it compresses", () => {
  const contents = [
    ["bytes of branches", branches],
    ["a program", program],
    ["less than an instruction", branches.subarray(0, 3)],
    ["nothing", Buffer.alloc(0)],
  ] as const;
  test.each([
    ["--x86"],
    ["--x86=start=4096"],
    ["--arm"],
    ["--arm=start=8"],
    ["--armthumb"],
    ["--arm64"],
    ["--powerpc"],
    ["--sparc"],
    ["--ia64"],
    ["--delta"],
    ["--delta=dist=256"],
    ["--delta=dist=3", "--x86"],
    ["--x86", "--arm", "--delta"],
  ])("%s %s %s", async (...filters) => {
    for (const [, content] of contents) {
      const compressed = xz(content, ...filters, "--lzma2=preset=1");
      for (const length of content === branches ? [777, 1_000_000] : [65_536])
        expect(Buffer.compare(await readAll(unxz(pieces(compressed, length))), content)).toBe(0);
    }
  });
});

test("undoes the filter for RISC-V, which older programs do not have", async () => {
  // Written by liblzma 5.8: jal, auipc with what adds to it, one that is alone, and one that looks filtered already.
  const compressed = Buffer.from(
    "/Td6WFoAAATm1rRGAgELACEBFgDYNGPu4AD/AFddAHeALAQWYMWfVVZoNNnDASTOyXtHHTGq+/m78dHO8JYs8XEk1jhkVRBah+GCrI2rfAE8" +
      "Qpv4blxGhJ1LlKZxvi4w+mQQxAyyfkiY8UPaDaW0AGhbFXch8wAAEwjYDb/d/34AAXOAAgAAAKvTDFWxxGf7AgAAAAAEWVo=",
    "base64",
  );
  const words = [
    0x004000ef, 0x00000297, 0x01028293, 0x12345317, 0x00833303, 0x00002117, 0x1, 0x8000016f, 0x7ff00fef,
    0x00000117, 0x12345678, 0xfffff517, 0xff850513, 0x1, 0x2, 0x3,
  ];
  const once = Buffer.alloc(64);
  for (const [at, word] of words.entries()) once.writeUInt32LE(word, 4 * at);
  expect(await readAll(unxz(pieces(compressed)))).toEqual(Buffer.concat([once, once, once, once]));
});

describe.skipIf(noXz)("reads", () => {
  test.each([
    ["-0"],
    ["-9e"],
    ["--check=none"],
    ["--check=crc32"],
    ["--check=crc64"],
    ["--check=sha256"],
    ["--block-size=5000"],
    ["--lzma2=lc=0,lp=4,pb=4"],
    ["--lzma2=lc=4,lp=0,pb=0"],
    ["--lzma2=dict=4096"],
    ["--lzma2=dict=1536MiB"],
  ])("xz %s", async (option) => {
    const content = Buffer.concat([program.subarray(0, 300_000), noise(200_000), Buffer.alloc(3_000_000)]);
    const compressed = xz(content, option);
    for (const length of [777, 65_536])
      expect(Buffer.compare(await readAll(unxz(pieces(compressed, length))), content)).toBe(0);
  });

  test("a dictionary that is used over and over", async () => {
    const block = noise(90_000);
    const content = Buffer.concat(
      Array.from({ length: 100 }, (_, at) => Buffer.concat([block, noise(at * 10)])),
    );
    const compressed = xz(content, "--lzma2=dict=96KiB");
    expect(compressed.byteLength).toBeLessThan(400_000);
    expect(Buffer.compare(await readAll(unxz(pieces(compressed))), content)).toBe(0);
  });

  test("two at once", async () => {
    const compressed = [branches, program].map((content) => xz(content));
    const readings = compressed.map((bytes) => unxz(pieces(bytes)));
    const seen = readings.map((): Uint8Array[] => []);
    for (let isDone = false; !isDone;) {
      const steps = await Promise.all(readings.map((reading) => reading.next()));
      for (const [at, { value }] of steps.entries()) if (value !== undefined) seen[at]?.push(value);
      isDone = steps.every(({ done }) => done === true);
    }
    expect(
      seen.map((chunks) => Buffer.compare(Buffer.concat(chunks), chunks === seen[0] ? branches : program)),
    ).toEqual([0, 0]);
  });
});

describe.skipIf(noXz)("gives all that came before a fault", () => {
  const text = Buffer.from("some text of a layer\n".repeat(10_000));
  const sound = noXz ? Buffer.alloc(0) : xz(text);

  function changed(from: number, bits = 0xff): Buffer {
    const bytes = Buffer.from(sound);
    const at = from < 0 ? bytes.byteLength + from : from;
    bytes.writeUInt8(bytes.readUInt8(at) ^ bits, at);
    return bytes;
  }

  test.each([
    ["a wrong check", changed(-36)],
    ["a wrong index", changed(-24)],
    ["a wrong footer", changed(-5)],
    ["no footer", sound.subarray(0, -12)],
    ["half a footer", sound.subarray(0, -3)],
    ["text behind", Buffer.concat([sound, Buffer.from("text that follows")])],
    ["three zeros behind", Buffer.concat([sound, Buffer.alloc(3)])],
    ["three zeros before another", Buffer.concat([sound, Buffer.alloc(3), sound])],
    ["half a stream behind", Buffer.concat([sound, sound.subarray(0, 20)])],
  ])("%s", async (_, bytes) => {
    const { seen, code } = await untilFault(bytes);
    expect(code).toBe("LAYER_INVALID");
    expect(Buffer.compare(seen.subarray(0, text.byteLength), text)).toBe(0);
  });

  test("content that is cut off", async () => {
    const content = noise(500_000);
    const compressed = xz(Buffer.concat([program.subarray(0, 500_000), content]));
    const { seen, code } = await untilFault(compressed.subarray(0, -100_000));
    expect(code).toBe("LAYER_INVALID");
    expect(seen.byteLength).toBeGreaterThan(500_000);
    expect(
      Buffer.compare(
        seen,
        Buffer.concat([program.subarray(0, 500_000), content]).subarray(0, seen.byteLength),
      ),
    ).toBe(0);
  });

  test("content that is damaged", async () => {
    const compressed = xz(program);
    const at = compressed.byteLength >> 1;
    compressed.fill(0xff, at, at + 50);
    const { seen, code } = await untilFault(compressed);
    expect(code).toBe("LAYER_INVALID");
    expect(seen.byteLength).toBeGreaterThan(100_000);
  });

  test.each([
    ["its first bytes", changed(1)],
    ["the stream's header", changed(8)],
    ["the block's header", changed(15)],
  ])("nothing where %s are wrong", async (_, bytes) => {
    expect(await untilFault(bytes)).toEqual({ seen: Buffer.alloc(0), code: "LAYER_INVALID" });
  });

  test("mutated content ends in bytes or a LayerError", async () => {
    const compressed = xz(Buffer.concat([text.subarray(0, 3000), noise(1000)]), "--x86", "--lzma2");
    let seed = 20_261_122;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
      return seed % below;
    };
    for (let round = 0; round < 500; round++) {
      const bytes = Buffer.from(compressed);
      for (let changes = random(4); changes >= 0; changes--) bytes[random(bytes.length)] = random(256);
      const { seen, code } = await untilFault(bytes);
      expect(seen.byteLength).toBeLessThan(8 * 1024 * 1024);
      expect([undefined, "LAYER_INVALID"]).toContain(code);
    }
  });
});

test.skipIf(noXz)(
  "what refers back further than is kept is refused by name",
  async () => {
    const far = noise(100_000);
    const script = `{ cat; head -c 140000000 /dev/zero; printf %s "$0" | base64 -d; } | xz -0 -c --lzma2=preset=0,dict=192MiB`;
    const compressed = execFileSync("sh", ["-c", script, far.subarray(0, 50_000).toString("base64")], {
      input: far,
      maxBuffer: 16 * 1024 * 1024,
    });
    let size = 0;
    const reading = (async () => {
      for await (const chunk of unxz(pieces(compressed, 65_536))) size += chunk.byteLength;
    })();
    await expect(reading).rejects.toMatchObject({
      code: "COMPRESSION_UNSUPPORTED",
      message: expect.stringContaining("dictionary of 201326592 bytes"),
    });
    expect(size).toBeGreaterThanOrEqual(140_000_000);
  },
  60_000,
);
