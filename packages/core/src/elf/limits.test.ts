import { describe, expect, test } from "vitest";
import { buildElf } from "../../../../test/support/tiny-elf.ts";
import { bytesSource, type ByteSource } from "./byte-source.ts";
import { readElf } from "./elf.ts";
import { windowOf } from "./window.ts";

describe("a file that asks for much", () => {
  test("names beyond a budget are refused, though one long one would do", async () => {
    const long = "x".repeat(4000);
    const elf = buildElf({ needed: Array.from({ length: 400 }, () => long) });
    expect((await readElf(bytesSource(elf))).faults).toEqual([
      { code: "ELF_TOO_LARGE", message: "The file has more than 1048576 bytes of names." },
    ]);
  });

  test("a name without end is refused", async () => {
    const elf = buildElf({ needed: ["y".repeat(5000)] });
    expect((await readElf(bytesSource(elf))).faults[0]?.code).toBe("ELF_TOO_LARGE");
  });

  test("version records that never end are refused", async () => {
    const data = ring(5000);
    const build = (at: number) =>
      buildElf({ pie: true, needed: ["a".repeat(20)], dynamicEntries: [[0x6ffffffe, at]], data });
    const elf = build(build(1).byteLength - data.byteLength);
    const facts = await readElf(bytesSource(elf));
    expect(facts.faults[0]?.code).toBe("ELF_TOO_LARGE");
    expect(facts.versionNeeds).toEqual([]);
  });

  test("a damaged part is empty and the others are there", async () => {
    const elf = buildElf({
      pie: true,
      needed: ["liba.so"],
      dynamicEntries: [[0x6ffffffe, 0xf0]],
      notes: [{ owner: "Go", type: 4, content: Buffer.from("id") }],
    });
    const facts = await readElf(bytesSource(elf));
    expect(facts.needed).toEqual(["liba.so"]);
    expect(facts.notes.owners).toEqual(["Go"]);
  });

  test("a file of a gigabyte costs as little as any", async () => {
    const elf = buildElf({ pie: true, interpreter: "/lib/ld.so", needed: ["liba.so"] });
    let read = 0;
    const source: ByteSource = {
      size: 1 << 30,
      read(position, length) {
        read += length;
        const bytes = new Uint8Array(length);
        bytes.set(elf.subarray(position, position + length));
        return bytes;
      },
    };
    expect((await readElf(source)).needed).toEqual(["liba.so"]);
    expect(read).toBeLessThan(32 << 10);
  });
});

describe("a window", () => {
  const bytes = Uint8Array.from({ length: 10_000 }, (_, n) => (n % 255) + 1);
  const window = windowOf(bytesSource(bytes));

  test.each([
    [0, 10],
    [4090, 12],
    [8192, 1808],
    [100, 9000],
    [10_000, 0],
  ])("gives what is at %i, %i bytes", async (position, length) => {
    const view = await window.view(position, length);
    expect(new Uint8Array(view.buffer, view.byteOffset, view.byteLength)).toEqual(
      bytes.subarray(position, position + length),
    );
  });

  test.each([
    [-1, 4],
    [9999, 2],
    [2 ** 60, 1],
    [Number.NaN, 1],
    [0, -1],
  ])("gives nothing at %d, %d bytes", async (position, length) => {
    await expect(window.view(position, length)).rejects.toMatchObject({ code: "ELF_TRUNCATED" });
  });

  test("gives a text across pages", async () => {
    const long = Buffer.concat([Buffer.alloc(4000), Buffer.from("ä".repeat(100)), Buffer.alloc(1)]);
    expect(await windowOf(bytesSource(long)).text(4000)).toBe("ä".repeat(100));
  });

  test("gives no text that the file's end cuts", async () => {
    await expect(windowOf(bytesSource(Buffer.from("abc"))).text(1)).rejects.toMatchObject({
      code: "ELF_TRUNCATED",
    });
  });
});

/** Version needs that each have the versions of all that follow. */
function ring(count: number): Uint8Array {
  const bytes = Buffer.alloc(count * 16);
  for (let at = 0; at < bytes.byteLength; at += 16) {
    bytes.writeUInt16LE(1, at);
    bytes.writeUInt16LE(1000, at + 2);
    bytes.writeUInt32LE(16, at + 8);
    bytes.writeUInt32LE(16, at + 12);
  }
  return bytes;
}
