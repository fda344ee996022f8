import { describe, expect, test } from "vitest";
import { parsePlatform, type Diagnostic } from "@undocked/registry";
import { buildElf, tinyPlatforms, type TinyElf } from "../../../../test/support/tiny-elf.ts";
import { bytesSource } from "./byte-source.ts";
import { staticGate, type StaticGateOptions } from "./gate.ts";
import { inspectExecutable } from "./inspect.ts";

const platform = parsePlatform("linux/amd64");
const arm = tinyPlatforms["linux/arm64"];
const dynamic: TinyElf = {
  pie: true,
  interpreter: "/lib64/ld-linux-x86-64.so.2",
  needed: ["libc.so.6", "libm.so.6"],
};

const files: readonly (readonly [
  name: string,
  content: Uint8Array,
  asFile: string | undefined,
  asProgram: string | undefined,
])[] = [
  ["a static program", buildElf({}), undefined, undefined],
  ["a static PIE", buildElf({ pie: true }), undefined, undefined],
  ["a loader", buildElf({ soname: "ld-linux.so.2", entry: 64 }), undefined, undefined],
  ["a dynamic program", buildElf(dynamic), "EXECUTABLE_DYNAMIC", "EXECUTABLE_DYNAMIC"],
  [
    "an interpreter alone",
    buildElf({ interpreter: "/lib/ld.so" }),
    "EXECUTABLE_DYNAMIC",
    "EXECUTABLE_DYNAMIC",
  ],
  [
    "libraries and no interpreter",
    buildElf({ needed: ["a.so"] }),
    "EXECUTABLE_NO_INTERPRETER",
    "EXECUTABLE_NO_INTERPRETER",
  ],
  [
    "a program of UPX",
    buildElf({ behindHeaders: Buffer.from("----UPX!") }),
    "EXECUTABLE_PACKED",
    "EXECUTABLE_PACKED",
  ],
  [
    "a static program for arm64",
    buildElf({ platform: arm }),
    "EXECUTABLE_WRONG_MACHINE",
    "EXECUTABLE_WRONG_MACHINE",
  ],
  [
    "a dynamic program for arm64",
    buildElf({ ...dynamic, platform: arm }),
    "EXECUTABLE_WRONG_MACHINE",
    "EXECUTABLE_WRONG_MACHINE",
  ],
  [
    "a static program for 386",
    buildElf({ platform: tinyPlatforms["linux/386"] }),
    "EXECUTABLE_WRONG_MACHINE",
    "EXECUTABLE_WRONG_MACHINE",
  ],
  ["a static program for FreeBSD", buildElf({ osAbi: 9 }), "EXECUTABLE_WRONG_OS", "EXECUTABLE_WRONG_OS"],
  [
    "a static program that is cut",
    buildElf({ data: new Uint8Array(9000) }).subarray(0, 4096),
    "EXECUTABLE_TRUNCATED",
    "EXECUTABLE_TRUNCATED",
  ],
  [
    "a library",
    buildElf({ soname: "liba.so", needed: ["libc.so.6"] }),
    undefined,
    "EXECUTABLE_SHARED_LIBRARY",
  ],
  [
    "a library for arm64",
    buildElf({ soname: "liba.so", platform: arm }),
    undefined,
    "EXECUTABLE_WRONG_MACHINE",
  ],
  [
    "a library that tells its version",
    buildElf({ ...dynamic, pie: false, soname: "libc.so.6" }),
    undefined,
    "EXECUTABLE_DYNAMIC",
  ],
  [
    "a program with a name for libraries",
    buildElf({ ...dynamic, soname: "app" }),
    "EXECUTABLE_DYNAMIC",
    "EXECUTABLE_DYNAMIC",
  ],
  ["an object file", buildElf({ type: "rel" }), undefined, "EXECUTABLE_OBJECT_FILE"],
  ["a damaged ELF file", buildElf({}).subarray(0, 50), undefined, "ELF_TRUNCATED"],
  ["a script", Buffer.from("#!/bin/sh\n"), undefined, "EXECUTABLE_SCRIPT"],
  ["text", Buffer.from("hello\n"), undefined, "EXECUTABLE_SCRIPT_INVALID"],
  ["an empty file", Buffer.from(""), undefined, "EXECUTABLE_EMPTY"],
  ["a program for macOS", Uint8Array.of(0xcf, 0xfa, 0xed, 0xfe), undefined, "EXECUTABLE_NOT_ELF"],
];

describe("an image of static programs", () => {
  test.each(files)("%s as one of many files", async (_, content, code) => {
    expect((await gate(content, {}))?.code).toBe(code);
  });

  test.each(files)("%s as the program to start", async (_, content, _file, code) => {
    expect((await gate(content, { role: "program" }))?.code).toBe(code);
  });

  test.each(files)("%s passes where any program may be", async (_, content) => {
    expect(await gate(content, { mode: "any", role: "program" })).toBeUndefined();
  });
});

test("the refusal of a dynamic program names the file, its interpreter, its libraries and the way out in the languages that it may be of", async () => {
  expect(await gate(buildElf(dynamic), {})).toEqual({
    code: "EXECUTABLE_DYNAMIC",
    severity: "error",
    message:
      "/app: The program is dynamically linked, and the image is for static ones: it needs the interpreter /lib64/ld-linux-x86-64.so.2 and libc.so.6, libm.so.6.",
    hint: 'Link it statically. C and C++: x86_64-linux-gnu-gcc -static, musl-gcc -static, or zig cc -target x86_64-linux-musl -static. Go: CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build, without -buildmode=pie. Rust: cargo build --release --target x86_64-unknown-linux-musl, or RUSTFLAGS="-C target-feature=+crt-static". Or use a base that has what it needs, with executables: "self-contained".',
  });
});

test.each<[maker: string, elf: TinyElf, words: string]>([
  ["Go", { notes: [{ owner: "Go", type: 4, content: Buffer.from("id") }] }, "CGO_ENABLED=0"],
  ["Node", { notes: [{ owner: "NODE_SEA_BLOB", type: 0, content: Buffer.from("js") }] }, "libstdc++"],
  ["Bun", { data: Buffer.from("js\n---- Bun! ----\n\0\0\0\0") }, "bun build --compile"],
  ["Deno", { data: Buffer.from("jsd3n0l4nd\0\0\0\0") }, "deno compile"],
])("the hint for a program of %s is for that alone", async (_, elf, words) => {
  const hint = (await gate(buildElf({ ...dynamic, ...elf }), {}))?.hint;
  expect(hint).toContain(words);
  expect(hint).not.toContain("cargo");
});

async function gate(
  content: Uint8Array,
  options: Partial<StaticGateOptions>,
): Promise<Diagnostic | undefined> {
  const report = await inspectExecutable(bytesSource(content), { platform });
  return staticGate(report, { path: "/app", platform, mode: "static", ...options });
}
