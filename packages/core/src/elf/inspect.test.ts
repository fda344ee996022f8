import { describe, expect, test } from "vitest";
import { parsePlatform } from "@undocked/registry";
import { buildElf, tinyPlatforms, type TinyElf } from "../../../../test/support/tiny-elf.ts";
import { bytesSource } from "./byte-source.ts";
import { inspectExecutable, type ExecutableReport } from "./inspect.ts";

const names = Object.keys(tinyPlatforms) as (keyof typeof tinyPlatforms)[];

const kinds: readonly (readonly [kind: string, linkage: string, elf: TinyElf])[] = [
  ["a static program", "static", {}],
  ["a static PIE", "static-pie", { pie: true }],
  [
    "a dynamic PIE",
    "dynamic",
    {
      pie: true,
      interpreter: "/lib/ld.so",
      needed: ["libc.so.6", "libm.so.6"],
      runpath: "$ORIGIN/../lib",
      versionNeeds: [
        { library: "libc.so.6", versions: ["V_1", "V_2?"] },
        { library: "libm.so.6", versions: ["M_1"] },
      ],
    },
  ],
  ["a dynamic program", "dynamic", { interpreter: "/lib/ld.so", needed: ["libc.so.6"], rpath: "/opt" }],
  ["an interpreter alone", "dynamic", { interpreter: "/lib/ld.so" }],
  ["a library", "shared", { soname: "libx.so.1", needed: ["libc.so.6"], versionDefinitions: ["X_1", "X_2"] }],
  ["a program without its interpreter", "broken", { needed: ["libc.so.6"] }],
  ["a PIE without its interpreter", "broken", { pie: true, needed: ["libc.so.6"] }],
  ["a program that unpacks itself", "packed", { type: "dyn" }],
  ["a program of UPX", "packed", { behindHeaders: Buffer.from("\0\0\0\0UPX!") }],
  ["a loader", "loader", { soname: "ld-linux.so.2", entry: 0x100 }],
  ["musl's libc", "loader", { type: "dyn", dynamic: true, data: Buffer.from("/etc/ld-musl-x.path\0") }],
  ["a static program of an old linker", "static-pie", { type: "dyn", dynamic: true }],
  ["an object file", "not-executable", { type: "rel" }],
  ["a core", "not-executable", { type: "core" }],
  ["an ELF file of no type", "not-executable", { type: 0 }],
];

describe.each(names)("for %s", (name) => {
  const platform = tinyPlatforms[name];
  test.each(kinds)("%s is %s", async (_, linkage, elf) => {
    const report = await inspect(buildElf({ ...elf, platform }), name);
    expect(report.linkage).toBe(linkage);
    expect(report.elf).toMatchObject({
      machine: platform.machine,
      class: platform.class,
      endian: platform.endian,
      flags: platform.flags,
      needed: elf.needed ?? [],
      ...(elf.soname === undefined ? {} : { soname: elf.soname }),
      ...(elf.rpath === undefined ? {} : { rpath: elf.rpath }),
      ...(elf.runpath === undefined ? {} : { runpath: elf.runpath }),
      versionDefinitions: elf.versionDefinitions ?? [],
      versionNeeds: (elf.versionNeeds ?? []).map(({ library, versions }) => ({
        library,
        versions: versions.map((v) => ({ name: v.replace("?", ""), weak: v.endsWith("?") })),
      })),
      faults: [],
    });
    expect(report.interpreter).toBe(elf.interpreter);
    expect(codes(report)).not.toContain("EXECUTABLE_WRONG_MACHINE");
  });

  test("it is for no other platform", async () => {
    const file = buildElf({ platform });
    for (const other of names.filter((candidate) => candidate !== name)) {
      expect(codes(await inspect(file, other))).toContain("EXECUTABLE_WRONG_MACHINE");
    }
  });
});

describe("what the kernel refuses", () => {
  test.each<[name: string, file: Uint8Array, code: string]>([
    ["a header that is cut", buildElf({}).subarray(0, 40), "ELF_TRUNCATED"],
    ["an identification that is cut", buildElf({}).subarray(0, 9), "ELF_TRUNCATED"],
    ["program headers that are cut", buildElf({}).subarray(0, 100), "ELF_TRUNCATED"],
    ["a class of neither 32 nor 64 bits", edited({}, 4, 3), "ELF_HEADER_INVALID"],
    ["a byte order that is none", edited({}, 5, 0), "ELF_HEADER_INVALID"],
    ["no program headers", edited({}, 56, 0), "ELF_PROGRAM_HEADERS_INVALID"],
    ["program headers of another size", edited({}, 54, 57), "ELF_PROGRAM_HEADERS_INVALID"],
    ["too many program headers", edited({}, 56, 0xff, 0xff), "ELF_PROGRAM_HEADERS_INVALID"],
    ["an entry at 0 that is not loaded", buildElf({ entry: 0 }), "EXECUTABLE_NO_ENTRY"],
    ["the other class than the rest of the header's", edited({}, 4, 1), "ELF_HEADER_INVALID"],
    ["the other byte order than the rest of the header's", edited({}, 5, 2), "ELF_HEADER_INVALID"],
    ["an empty interpreter", buildElf({ interpreter: "" }), "ELF_INTERPRETER_INVALID"],
    ["an interpreter of NULs", buildElf({ interpreter: "\0\0" }), "ELF_INTERPRETER_INVALID"],
    [
      "an interpreter without its end",
      buildElf({ interpreter: Buffer.from("/ld") }),
      "ELF_INTERPRETER_INVALID",
    ],
    ["an interpreter of 4097 bytes", buildElf({ interpreter: "/".repeat(4096) }), "ELF_INTERPRETER_INVALID"],
    [
      "content that is cut",
      buildElf({ data: new Uint8Array(9000) }).subarray(0, 4096),
      "EXECUTABLE_TRUNCATED",
    ],
    ["a library", buildElf({ soname: "liba.so" }), "EXECUTABLE_SHARED_LIBRARY"],
    ["an object file", buildElf({ type: "rel" }), "EXECUTABLE_OBJECT_FILE"],
    ["a core", buildElf({ type: "core" }), "EXECUTABLE_CORE"],
    ["a type that is none", buildElf({ type: 7 }), "EXECUTABLE_NOT_PROGRAM"],
    ["libraries without a loader", buildElf({ needed: ["liba.so"] }), "EXECUTABLE_NO_INTERPRETER"],
    ["a program of UPX", buildElf({ behindHeaders: Buffer.from("----UPX!") }), "EXECUTABLE_PACKED"],
    ["a program for FreeBSD", buildElf({ osAbi: 9 }), "EXECUTABLE_WRONG_OS"],
    ["a program with NetBSD's note", buildElf({ notes: [bsdNote("NetBSD")] }), "EXECUTABLE_WRONG_OS"],
    ["a program for Android", buildElf({ interpreter: "/system/bin/linker64" }), "EXECUTABLE_WRONG_OS"],
    [
      "x32",
      buildElf({ platform: { ...tinyPlatforms["linux/386"], machine: 62 } }),
      "EXECUTABLE_WRONG_MACHINE",
    ],
    [
      "strings outside of the file",
      buildElf({ pie: true, dynamicEntries: [[5, 0x999999]], needed: ["a"] }),
      "ELF_DYNAMIC_INVALID",
    ],
    [
      "a name outside of its table",
      buildElf({ pie: true, dynamicEntries: [[1, 0x9999]] }),
      "ELF_DYNAMIC_INVALID",
    ],
  ])("%s", async (_, file, code) => {
    const report = await inspect(file, "linux/amd64");
    const found = report.problems.find((problem) => problem.severity === "error");
    expect(codes(report)).toContain(code);
    expect(found?.hint).toMatch(/^[A-Z].*\.$/);
    expect(found?.message).toMatch(/^[A-Z].*\.$/);
  });
});

describe("what may surprise is a warning", () => {
  test.each<[name: string, file: Uint8Array, platform: string, code: string]>([
    [
      "a program for 386 on amd64",
      buildElf({ platform: tinyPlatforms["linux/386"] }),
      "linux/amd64",
      "EXECUTABLE_WRONG_MACHINE",
    ],
    ["an entry at 0 that is loaded", buildElf({ entry: 0, pie: true }), "linux/amd64", "EXECUTABLE_NO_ENTRY"],
    [
      "a relative interpreter",
      buildElf({ interpreter: "ld.so" }),
      "linux/amd64",
      "EXECUTABLE_INTERPRETER_RELATIVE",
    ],
    [
      "a PIE of an old linker",
      buildElf({ type: "dyn", dynamic: true }),
      "linux/amd64",
      "EXECUTABLE_PIE_UNMARKED",
    ],
    [
      "FreeBSD's mark beside GNU's note",
      buildElf({ osAbi: 9, notes: [linuxNote()] }),
      "linux/amd64",
      "EXECUTABLE_WRONG_OS",
    ],
    ["a system that nobody has", buildElf({ osAbi: 77 }), "linux/amd64", "EXECUTABLE_WRONG_OS"],
    ["x86-64-v3 on linux/amd64", buildElf({ notes: [isaNote(7)] }), "linux/amd64", "EXECUTABLE_CPU_LEVEL"],
    [
      "x86-64-v4 on linux/amd64/v3",
      buildElf({ notes: [isaNote(15)] }),
      "linux/amd64/v3",
      "EXECUTABLE_CPU_LEVEL",
    ],
  ])("%s", async (_, file, platform, code) => {
    const { problems } = await inspect(file, platform);
    expect(problems.map((problem) => [problem.severity, problem.code])).toEqual([["warning", code]]);
  });

  test("x86-64-v3 on linux/amd64/v3 does not", async () => {
    expect((await inspect(buildElf({ notes: [isaNote(7)] }), "linux/amd64/v3")).problems).toEqual([]);
  });
});

describe("what is not ELF", () => {
  test.each<[name: string, file: Uint8Array | string, format: string, code: string | undefined]>([
    ["an empty file", "", "empty", "EXECUTABLE_EMPTY"],
    ["a script", "#!/bin/sh\n", "script", undefined],
    [
      "a script behind a byte order mark",
      "\uFEFF#!/bin/sh\n",
      "script-with-bom",
      "EXECUTABLE_SCRIPT_INVALID",
    ],
    ["a script behind a line", "\n#!/bin/sh\n", "script-indented", "EXECUTABLE_SCRIPT_INVALID"],
    ["text", "echo hi\n", "text", "EXECUTABLE_SCRIPT_INVALID"],
    ["Mach-O", Uint8Array.of(0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1), "mach-o", "EXECUTABLE_NOT_ELF"],
    ["Mach-O for two", Uint8Array.of(0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2), "mach-o", "EXECUTABLE_NOT_ELF"],
    ["a Java class", Uint8Array.of(0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61), "java-class", "EXECUTABLE_NOT_ELF"],
    ["PE", "MZ\x90", "pe", "EXECUTABLE_NOT_ELF"],
    ["WebAssembly", "\0asm\x01\0\0\0", "wasm", "EXECUTABLE_NOT_ELF"],
    ["a zip archive", "PK\x03\x04", "zip", "EXECUTABLE_NOT_ELF"],
    ["a static library", "!<arch>\nx", "archive", "EXECUTABLE_NOT_ELF"],
    ["bitcode", Uint8Array.of(0x42, 0x43, 0xc0, 0xde), "llvm-bitcode", "EXECUTABLE_NOT_ELF"],
    ["gzip", Uint8Array.of(0x1f, 0x8b, 8), "gzip", "EXECUTABLE_NOT_ELF"],
    ["zstd", Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd), "zstd", "EXECUTABLE_NOT_ELF"],
    ["other bytes", Uint8Array.of(1, 2, 3, 4), "data", "EXECUTABLE_NOT_ELF"],
    ["a file of 3 of ELF's 4 first bytes", "\x7fEL", "data", "EXECUTABLE_NOT_ELF"],
  ])("%s", async (_, content, format, code) => {
    const report = await inspect(Buffer.from(content), "linux/arm64");
    expect(report.format).toBe(format);
    expect(codes(report)).toEqual(code === undefined ? [] : [code]);
  });

  test("a script's interpreter is its first line without what surrounds it", async () => {
    const report = await inspect(Buffer.from("#! \t/usr/bin/env -S node  x \nmore"), "linux/amd64");
    expect(report.interpreter).toBe("/usr/bin/env -S node  x");
  });
});

describe("a dynamic section of a size that nobody looks at", () => {
  const elf: TinyElf = {
    pie: true,
    interpreter: "/lib/ld.so",
    needed: ["liba.so"],
    data: new Uint8Array(64),
  };
  test.each([
    ["more than the file has", 1 << 16],
    ["more than is read of any", 1 << 30],
  ])("%s is read up to its end", async (_, size) => {
    for (const platform of [tinyPlatforms["linux/amd64"], tinyPlatforms["linux/386"]]) {
      const { elf: facts, linkage } = await inspect(
        withDynamicSize({ ...elf, platform }, size),
        platform.class === 64 ? "linux/amd64" : "linux/386",
      );
      expect(facts).toMatchObject({ needed: ["liba.so"], faults: [], wholeness: "whole" });
      expect(linkage).toBe("dynamic");
    }
  });

  test.each([
    ["the file's end", new Uint8Array(64).fill(1), "ELF_DYNAMIC_INVALID"],
    ["what is read of any", new Uint8Array(2 << 20).fill(1), "ELF_TOO_LARGE"],
  ])("without an end before %s is refused", async (_, data, code) => {
    const file = withDynamicSize({ ...elf, data }, 1 << 30, "endless");
    expect(codes(await inspect(file, "linux/amd64"))).toEqual([code]);
  });
});

test("a source that has become shorter is told", async () => {
  const file = buildElf({ data: new Uint8Array(100) });
  const source = {
    size: file.byteLength + 8192,
    read: (position: number, length: number) => file.subarray(position, position + length),
  };
  const report = await inspectExecutable(source, { platform: parsePlatform("linux/amd64") });
  expect(codes(report)).toEqual(["ELF_TRUNCATED"]);
});

async function inspect(file: Uint8Array, platform: string): Promise<ExecutableReport> {
  return await inspectExecutable(bytesSource(file), { platform: parsePlatform(platform) });
}

function codes({ problems }: ExecutableReport): readonly string[] {
  return problems.map(({ code }) => code);
}

function edited(elf: TinyElf, at: number, ...bytes: readonly number[]): Uint8Array {
  const file = buildElf(elf).slice();
  file.set(bytes, at);
  return file;
}

function bsdNote(owner: string) {
  return { owner, type: 1, content: new Uint8Array(4) };
}

function linuxNote() {
  return { owner: "GNU", type: 1, content: Uint8Array.of(0, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0) };
}

function isaNote(levels: number) {
  return {
    owner: "GNU",
    type: 5,
    content: Uint8Array.of(2, 0x80, 0, 0xc0, 4, 0, 0, 0, levels, 0, 0, 0, 0, 0, 0, 0),
  };
}

/** Another size of PT_DYNAMIC in the file; `endless`: its last entry does not end it. */
function withDynamicSize(elf: TinyElf, size: number, end: "endless" | "ended" = "ended"): Uint8Array {
  const file = Buffer.from(buildElf(elf));
  const wide = elf.platform?.class !== 32;
  const [start, step, sizeAt] = wide ? [64, 56, 32] : [52, 32, 16];
  for (let at = start; ; at += step) {
    if (file.readUInt32LE(at) !== 2) continue;
    const last = file.readUInt32LE(at + (wide ? 8 : 4)) + file.readUInt32LE(at + sizeAt) - (wide ? 16 : 8);
    if (end === "endless") file.writeUInt32LE(0x70000001, last);
    file.writeUInt32LE(size, at + sizeAt);
    return file;
  }
}
