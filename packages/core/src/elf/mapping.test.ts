import { describe, expect, test } from "vitest";
import { defaultPlatform } from "@undocked/registry";
import { buildElf, tinyPlatforms, type TinyElf } from "../../../../test/support/tiny-elf.ts";
import { buildWordElf, codeOffset, Pf, Pt, type WordSegment } from "../../../../test/support/word-elf.ts";
import { bytesSource } from "./byte-source.ts";
import { readElf } from "./elf.ts";
import { staticGate } from "./gate.ts";
import { elfReport } from "./inspect.ts";
import type { MappingFault } from "./mapping.ts";

/* What one machine can be asked is asked in test/elf/kernel.test.ts; here are the rules of the others. */

async function faultOf(bytes: Uint8Array): Promise<MappingFault | undefined> {
  return (await readElf(bytesSource(bytes))).mapping;
}

const places = Object.values(tinyPlatforms);

test.each(places)("machine $machine starts what is in order", async (platform) => {
  expect(await faultOf(buildElf({ platform }))).toBeUndefined();
  expect(await faultOf(buildElf({ platform, pie: true }))).toBeUndefined();
});

test.each(places)("machine $machine starts nothing where nothing is loaded", async (platform) => {
  expect(await faultOf(buildElf({ platform, entry: 0x700_0000 }))).toMatchObject({
    code: "EXECUTABLE_NO_ENTRY",
    severity: "error",
  });
});

const data = new Uint8Array(0x2000);

describe("an entry", () => {
  const of = (platform: keyof typeof tinyPlatforms, elf: TinyElf = {}) =>
    faultOf(buildElf({ platform: tinyPlatforms[platform], data, ...elf }));

  test("of Arm has the instruction set in its lowest bit", async () => {
    expect(await of("linux/arm/v7", { entry: 0x400055 })).toBeUndefined();
  });

  test("in zeros is none, but where zeros do nothing", async () => {
    const entry = 0x401000;
    expect(await of("linux/arm64", { entry })).toMatchObject({ code: "EXECUTABLE_NO_ENTRY" });
    expect(await of("linux/mips", { entry })).toBeUndefined();
    expect(await of("linux/arm/v7", { entry })).toBeUndefined();
  });

  test("behind a segment may be in its page, where pages may be large", async () => {
    const code = Buffer.alloc(0x2000, 1);
    const segments = [{ ...load(0x401000, Pf.rx), fileSize: 0x100 }];
    const bytes = Buffer.from(
      buildWordElf({ entry: 0x403000, segments, size: 0x4000, parts: [[0x2000, code]] }),
    );
    expect((await faultOf(new Uint8Array(bytes)))?.message).toContain("where nothing is loaded");
    bytes.writeUInt16LE(183, 18);
    expect(await faultOf(new Uint8Array(bytes))).toBeUndefined();
  });

  test("is a loader's business, or else that of whoever else starts the program", async () => {
    const elf = { entry: 0x700_0000, needed: ["libc.so.6"] };
    expect(await of("linux/amd64", { ...elf, interpreter: "/lib64/ld-linux-x86-64.so.2" })).toMatchObject({
      severity: "error",
    });
    expect(await of("linux/amd64", { ...elf, interpreter: "/opt/starter" })).toMatchObject({
      severity: "warning",
    });
  });

  test("of a shared library is nobody's business", async () => {
    expect(await of("linux/amd64", { soname: "liba.so" })).toBeUndefined();
  });
});

const load = (address: number | bigint, flags: number, memorySize: number | bigint = 0x100): WordSegment => ({
  type: Pt.load,
  flags,
  offset: codeOffset,
  address,
  fileSize: 0x100,
  memorySize,
});
const stack = (flags: number): WordSegment => ({
  ...load(0, flags, 0),
  type: Pt.gnuStack,
  fileSize: 0,
});

describe("what some machines start is a warning", () => {
  test.each<[name: string, segments: readonly WordSegment[], entry: number | bigint, message: RegExp]>([
    ["an address below 64 KiB", [load(0x1000, Pf.rx)], 0x1000, /vm\.mmap_min_addr/],
    ["an address of large address spaces", [load(1n << 48n, Pf.rx)], 1n << 48n, /on some machines only/],
    ["more memory than there is", [load(0x400000, Pf.rx, 1n << 42n)], 0x400000, /most machines do not give/],
    ["readable code without PT_GNU_STACK", [load(0x400000, Pf.r)], 0x400000, /only older kernels/],
    ["readable code, stack executable", [load(0x400000, Pf.r), stack(7)], 0x400000, /only older kernels/],
  ])("%s", async (_, segments, entry, message) => {
    expect(await faultOf(buildWordElf({ entry, segments }))).toMatchObject({
      severity: "warning",
      message: expect.stringMatching(message),
    });
  });

  test("a PIE that begins with zeros", async () => {
    const zeros = { ...load(0, Pf.rw), fileSize: 0 };
    expect(
      await faultOf(buildWordElf({ type: 3, entry: 0x1000, segments: [zeros, load(0x1000, Pf.rx)] })),
    ).toMatchObject({
      severity: "warning",
    });
  });
});

test("segments that share a page of large pages alone start on small ones", async () => {
  const segments = [load(0x400000, Pf.rx), load(0x401000, Pf.rw), stack(Pf.rw)];
  const bytes = Buffer.from(buildWordElf({ entry: 0x400000, segments }));
  for (const machine of [183, 21, 258, 62]) {
    bytes.writeUInt16LE(machine, 18);
    bytes.writeUInt32LE(2, 48);
    expect(await faultOf(new Uint8Array(bytes))).toBeUndefined();
  }
});

test("the older ABI of PowerPC begins at the address of an address", async () => {
  const descriptor = Buffer.from(
    buildWordElf({ entry: 0x400000, segments: [load(0x400000, Pf.rw), stack(Pf.rw)] }),
  );
  descriptor.writeUInt16LE(21, 18);
  expect(await faultOf(new Uint8Array(descriptor))).toBeUndefined();
  descriptor.writeUInt32LE(2, 48);
  expect(await faultOf(new Uint8Array(descriptor))).toMatchObject({ code: "EXECUTABLE_NO_ENTRY" });
});

test("a kernel that is copied is refused as the program, and not as a file", async () => {
  const kernel = buildWordElf({ entry: 0x1000000, segments: [load(0xffffffff81000000n, Pf.rx)] });
  const report = elfReport(await readElf(bytesSource(kernel)), defaultPlatform);
  const options = { path: "/boot/vmlinux", platform: defaultPlatform, mode: "static" } as const;
  expect(staticGate(report, { ...options, role: "program" })?.code).toBe("EXECUTABLE_NOT_LOADABLE");
  expect(staticGate(report, { ...options, role: "file" })).toBeUndefined();
});
