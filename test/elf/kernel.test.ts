import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parsePlatform, type Diagnostic } from "@undocked/registry";
import { bytesSource, inspectExecutable } from "@undocked/core/elf";
import { randomFrom } from "../support/library-layout.ts";
import { startForReal, type Outcome } from "../support/start-for-real.ts";
import { lacks } from "../support/tools.ts";
import {
  buildWordElf,
  codeOffset,
  mutateWordElf,
  Pf,
  Pt,
  wordCode,
  wordCodeAtEntry,
  type WordElf,
  type WordSegment,
} from "../support/word-elf.ts";

/* Programs made by hand, judged and then started: what the kernel does is the rule (fs/binfmt_elf.c). */

const count = Number(process.env["UNDOCKED_KERNEL"] ?? 2000);
const seed = Number(process.env["UNDOCKED_KERNEL_SEED"] ?? 20_261_122);
const cannotStart = process.platform !== "linux" || process.arch !== "x64";

let place: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-kernel-"));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

const base = 0x400000;
const code = base + codeOffset;
const load = (offset: number, address: number, flags: number, size: number, memory = size): WordSegment => ({
  type: Pt.load,
  flags,
  offset,
  address,
  fileSize: size,
  memorySize: memory,
});
const stack: WordSegment = { ...load(0, 0, Pf.rw, 0), type: Pt.gnuStack };
const text = load(codeOffset, code, Pf.rx, 0x100);
const data = load(0x2000, base + 0x2000, Pf.rw, 0x200, 0x2300);
const one: WordElf = { entry: code, segments: [load(0, base, Pf.rx, 0x1100)] };
const separate = (at: number): readonly WordSegment[] => [
  load(0, at, Pf.r, 0x300),
  load(codeOffset, at + codeOffset, Pf.rx, 0x100),
  load(0x2000, at + 0x2000, Pf.rw, 0x200, 0x2300),
  stack,
];
const three: WordElf = { entry: code, segments: separate(base) };
const pie: WordElf = {
  type: 3,
  entry: codeOffset,
  segments: [...separate(0), { ...load(0x2000, 0x2000, Pf.rw, 32), type: Pt.dynamic }],
  parts: [
    [codeOffset, wordCode()],
    // DT_FLAGS_1 with DF_1_PIE, and the end.
    [0x2000, Buffer.from("fbffff6f000000000000000800000000".padEnd(64, "0"), "hex")],
  ],
};
const narrow: WordElf = { ...three, width: 32 };
/** A program that another one is started for, at which the kernel looks all the same. */
const startedBy = (interpreter: string): WordElf => ({
  ...three,
  segments: [
    { ...load(0x400, base + 0x400, Pf.r, interpreter.length + 1), type: Pt.interp },
    ...separate(base),
  ],
  parts: [[0x400, Buffer.from(`${interpreter}\0`)]],
});

interface Judged {
  readonly errors: readonly Diagnostic[];
  readonly codes: readonly string[];
  readonly interpreter?: string;
}

async function judge(bytes: Uint8Array, width: 32 | 64 = 64): Promise<Judged> {
  const platform = parsePlatform(width === 32 ? "linux/386" : "linux/amd64");
  const { problems, interpreter } = await inspectExecutable(bytesSource(bytes), { platform });
  return {
    ...(interpreter === undefined ? {} : { interpreter }),
    errors: problems.filter(({ severity }) => severity === "error"),
    codes: problems.map((problem) => problem.code),
  };
}

function started({ output }: Outcome): boolean {
  return output === "ok\n";
}

type Row = readonly [name: string, elf: WordElf, code?: string];
const withText = (change: Partial<WordSegment>): WordElf => ({
  ...three,
  segments: [{ ...text, ...change }, data, stack],
});
const withData = (change: Partial<WordSegment>): WordElf => ({
  ...three,
  segments: [text, { ...data, ...change }, stack],
});

const killed: readonly Row[] = [
  ["nothing that is loaded", { ...three, segments: [stack] }, "EXECUTABLE_NO_ENTRY"],
  ["nothing but empty segments", { ...three, segments: [load(0, code, Pf.rx, 0)] }, "EXECUTABLE_NO_ENTRY"],
  ["an entry behind all segments", { ...three, entry: 0x500000 }, "EXECUTABLE_NO_ENTRY"],
  ["an entry before all segments", { ...three, entry: 0x1000 }, "EXECUTABLE_NO_ENTRY"],
  ["an entry at 0", { ...three, entry: 0 }, "EXECUTABLE_NO_ENTRY"],
  ["an entry in the data", { ...three, entry: base + 0x2000 }, "EXECUTABLE_NO_ENTRY"],
  ["an entry in zeros", { ...three, entry: code + 0x80 }, "EXECUTABLE_NO_ENTRY"],
  [
    "an entry in zeros that the file has not",
    withText({ memorySize: 0x9000, address: base + 0x10_000, offset: 0x1000 }),
    "EXECUTABLE_NO_ENTRY",
  ],
  ["code that is not executable", withText({ flags: Pf.r }), "EXECUTABLE_NO_ENTRY"],
  ["code that the data is laid over", withData({ address: code, memorySize: 0x200 }), "EXECUTABLE_NO_ENTRY"],
  ["code behind the end of the file", withText({ offset: 0x9000 }), "EXECUTABLE_TRUNCATED"],
  ["more in the file than in memory", withData({ memorySize: 0x100 }), "EXECUTABLE_NOT_LOADABLE"],
  ["a place of no page", withText({ offset: codeOffset - 8, address: code }), "EXECUTABLE_NOT_LOADABLE"],
  ["data at a place of no page", withData({ offset: 0x2010 }), "EXECUTABLE_NOT_LOADABLE"],
  ["an address of the kernel", withData({ address: 0xffffffff81000000n }), "EXECUTABLE_NOT_LOADABLE"],
  ["an end in the kernel", withData({ memorySize: 0xff00000000000000n }), "EXECUTABLE_NOT_LOADABLE"],
  [
    "an end behind 4 GiB, of 32 bits",
    { ...narrow, segments: [text, { ...data, memorySize: 0xfff00000 }, stack] },
    "EXECUTABLE_NOT_LOADABLE",
  ],
  ["a PIE whose entry is in its data", { ...pie, entry: 0x2100 }, "EXECUTABLE_NO_ENTRY"],
];

const starting: readonly Row[] = [
  ["one segment for all", one],
  ["a segment for each kind", three],
  ["a PIE", pie],
  ["32 bits", narrow],
  ["segments that are not in order", { ...three, segments: [data, stack, text] }],
  ["segments that share a page", withData({ address: base, offset: 0x2000, memorySize: 0x200 })],
  ["data that code is laid over", { ...three, segments: [{ ...data, address: code }, text, stack] }],
  ["code that may be written", withText({ flags: 7 })],
  ["code that may not be read", withText({ flags: Pf.x })],
  ["an align of nothing", withText({ align: 0 })],
  ["an align that is no power of two", withText({ align: 0x1234 })],
  ["a segment of nothing, wherever it says", withData({ fileSize: 0, memorySize: 0, offset: 0x777 })],
  ["a segment of zeros whose place in the file is of no page", withData({ fileSize: 0, offset: 0x777 })],
  ["no PT_GNU_STACK", { ...three, segments: [text, data] }],
];

describe("a program by hand", () => {
  const rows = [
    ...killed.map((row) => ({ row, ending: "dies" })),
    ...starting.map((row) => ({ row, ending: "starts" })),
  ].map(({ row: [name, elf, code], ending }) => ({ name, elf, code, ending }));

  test.each(rows)("with $name", async ({ elf, code }) => {
    const { errors, codes } = await judge(buildWordElf(elf), elf.width);
    if (code === undefined) expect(codes).toEqual([]);
    else expect(errors.map((error) => error.code)).toContain(code);
    for (const { message, hint } of errors)
      expect([message, hint]).toEqual([
        expect.stringMatching(/^[A-Z].*\.$/),
        expect.stringMatching(/^[A-Z].*\.$/),
      ]);
  });

  test.skipIf(cannotStart).each(rows)("with $name, started: it $ending", ({ name, elf, ending }) => {
    const [outcome] = startForReal(join(place, name.replaceAll(" ", "-")), [buildWordElf(elf)]);
    expect(outcome && started(outcome)).toBe(ending === "starts");
  });
});

describe.skipIf(cannotStart)("beside the kernel", () => {
  test(
    `${count} programs with damaged headers start where nothing speaks against it, and nowhere else`,
    { timeout: 600_000 },
    async () => {
      const random = randomFrom(seed);
      const starter = join(place, "starter");
      writeFileSync(starter, buildWordElf(pie), { mode: 0o755 });
      const seeds = [one, three, pie, narrow, startedBy(starter)];
      const made = Array.from({ length: count }, (_, n) => {
        const elf = seeds[n % seeds.length] ?? one;
        return { ...mutateWordElf(elf, random), width: elf.width ?? 64 };
      });
      const outcomes = startForReal(
        join(place, "damaged"),
        made.map(({ bytes }) => bytes),
      );
      const wrong: string[] = [];
      const seen = { starts: 0, dies: 0 };
      for (const [n, { bytes, changes, width }] of made.entries()) {
        const { errors, codes, interpreter } = await judge(bytes, width);
        const isElsewhere =
          interpreter === undefined ? !wordCodeAtEntry(bytes, width) : interpreter !== starter;
        const outcome = outcomes[n] ?? { code: -1, output: "" };
        seen[started(outcome) ? "starts" : "dies"]++;
        const isRight = started(outcome)
          ? errors.every(({ code }) => refusedByPolicy.has(code))
          : codes.length > 0 || isElsewhere || asksForMuch(bytes, width);
        if (!isRight) wrong.push(`${n}, ${width} bits: ${changes}: ${outcome.code}, ${codes.join(", ")}`);
      }
      expect(wrong).toEqual([]);
      expect(Math.min(seen.starts, seen.dies)).toBeGreaterThan(count / 10);
    },
  );
});

/** What is refused although the kernel starts it: what is damaged, for another system, or cannot be seen through. */
const refusedByPolicy: ReadonlySet<string> = new Set([
  "ELF_DYNAMIC_INVALID",
  "ELF_HEADER_INVALID",
  "ELF_TRUNCATED",
  "EXECUTABLE_PACKED",
  "EXECUTABLE_TRUNCATED",
  "EXECUTABLE_WRONG_OS",
]);

/** How much memory there is depends on the machine. */
function asksForMuch(bytes: Uint8Array, width: 32 | 64): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (width === 32) return false;
  return Array.from({ length: view.getUint16(56, true) }, (_, n) => 64 + 56 * n + 40)
    .filter((at) => at + 8 <= codeOffset)
    .some((at) => view.getBigUint64(at, true) > 1n << 32n);
}

describe.skipIf(cannotStart || lacks("gcc"))("a static program of a compiler", () => {
  test.each<[name: string, change: (file: Buffer) => void, code: string | undefined]>([
    ["as it is", () => undefined, undefined],
    [
      "without PT_LOAD",
      (file) => each(file, Pt.load, (at) => file.writeUInt32LE(0, at)),
      "EXECUTABLE_NO_ENTRY",
    ],
    ["with an entry elsewhere", (file) => file.writeBigUInt64LE(0x12345678n, 24), "EXECUTABLE_NO_ENTRY"],
    [
      "without a segment that is executable",
      (file) => each(file, Pt.load, (at) => file.writeUInt32LE(Pf.r, at + 4)),
      "EXECUTABLE_NO_ENTRY",
    ],
    [
      "with segments that lie askew",
      (file) => each(file, Pt.load, (at) => file.writeBigUInt64LE(file.readBigUInt64LE(at + 8) + 8n, at + 8)),
      "EXECUTABLE_NOT_LOADABLE",
    ],
    [
      "with less memory than file",
      (file) => each(file, Pt.load, (at) => file.writeBigUInt64LE(1n, at + 40)),
      "EXECUTABLE_NOT_LOADABLE",
    ],
    ["without program headers", (file) => file.writeUInt16LE(0, 56), "ELF_PROGRAM_HEADERS_INVALID"],
    ["with too many program headers", (file) => file.writeUInt16LE(1171, 56), "ELF_PROGRAM_HEADERS_INVALID"],
    [
      "with program headers of another size",
      (file) => file.writeUInt16LE(64, 54),
      "ELF_PROGRAM_HEADERS_INVALID",
    ],
    ["that says it is an object file", (file) => file.writeUInt16LE(1, 16), "EXECUTABLE_OBJECT_FILE"],
    ["that says it is a core", (file) => file.writeUInt16LE(4, 16), "EXECUTABLE_CORE"],
    ["whose code was never written", (file) => file.fill(0, 0x1000, 0x8000), "EXECUTABLE_NO_ENTRY"],
  ])("%s", async (name, change, code) => {
    const from = join(place, "program.c");
    writeFileSync(from, '#include <unistd.h>\nint main(void) { return write(1, "ok\\n", 3) != 3; }\n');
    execFileSync("gcc", ["-static", "-o", join(place, "program"), from], { timeout: 60_000 });
    const file = readFileSync(join(place, "program"));
    change(file);
    const bytes = new Uint8Array(file);
    const [outcome] = startForReal(join(place, name.replaceAll(" ", "-")), [bytes]);
    expect(outcome && started(outcome)).toBe(code === undefined);
    const { errors } = await judge(bytes);
    expect(errors.map((error) => error.code)).toEqual(code === undefined ? [] : [code]);
  });
});

function each(file: Buffer, type: number, change: (at: number) => void): void {
  for (let n = 0; n < file.readUInt16LE(56); n++) {
    const at = 64 + 56 * n;
    if (file.readUInt32LE(at) === type) change(at);
  }
}
