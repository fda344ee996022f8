import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parsePlatform } from "@undocked/registry";
import { fileSource, inspectExecutable, staticGate, type Maker } from "@undocked/core/elf";
import { lacks } from "../support/tools.ts";

let place: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-makers-"));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

interface Program {
  readonly name: string;
  readonly compiler: string;
  readonly source: readonly [file: string, text: string];
  /** Behind the compiler's name and before the source. */
  readonly args: readonly string[];
  readonly maker: Maker;
  readonly hint: RegExp;
}

const c = ["app.c", "int main(void) { return 0; }\n"] as const;
const cpp = ["app.cc", '#include <iostream>\nint main() { std::cout << "hi"; }\n'] as const;
const rust = ["app.rs", 'fn main() { println!("hi"); }\n'] as const;
const go = ["app.go", "package main\n\nfunc main() { println() }\n"] as const;

const programs: readonly Program[] = [
  { name: "C", compiler: "gcc", source: c, args: [], maker: "c", hint: /gcc -static/ },
  { name: "stripped C", compiler: "gcc", source: c, args: ["-s"], maker: "c", hint: /gcc -static/ },
  { name: "C with musl", compiler: "musl-gcc", source: c, args: [], maker: "c", hint: /musl-gcc -static/ },
  { name: "C++", compiler: "g++", source: cpp, args: [], maker: "c++", hint: /g\+\+ -static/ },
  {
    name: "stripped C++ with libstdc++ in it",
    compiler: "g++",
    source: cpp,
    args: ["-s", "-static-libstdc++", "-static-libgcc"],
    maker: "c++",
    hint: /g\+\+ -static/,
  },
  {
    name: "Go",
    compiler: "go",
    source: go,
    args: ["-buildmode=pie"],
    maker: "go",
    hint: /CGO_ENABLED=0 .*go build/,
  },
  {
    name: "stripped Go",
    compiler: "go",
    source: go,
    args: ["-buildmode=pie", "-ldflags=-s -w"],
    maker: "go",
    hint: /CGO_ENABLED=0 .*go build/,
  },
  { name: "Rust", compiler: "rustc", source: rust, args: [], maker: "rust", hint: /\+crt-static/ },
  {
    name: "stripped Rust",
    compiler: "rustc",
    source: rust,
    args: ["-O", "-C", "strip=symbols"],
    maker: "rust",
    hint: /--target x86_64-unknown-linux-musl/,
  },
];

for (const program of programs) {
  describe.skipIf(lacks(program.compiler) || process.arch !== "x64")(
    `a dynamic program of ${program.name}`,
    () => {
      test("is refused with the command of its own language", { timeout: 120_000 }, async () => {
        const { elf, refusal } = await judge(compile(program));
        expect(elf?.maker).toBe(program.maker);
        expect(refusal).toMatchObject({
          code: "EXECUTABLE_DYNAMIC",
          hint: expect.stringMatching(program.hint),
        });
        expect(refusal?.hint).not.toContain("C and C++:");
      });
    },
  );
}

describe.skipIf(lacks("rustc", "objcopy"))("a program of Rust whose comment is taken away", () => {
  test("shows by where its standard library panics", { timeout: 120_000 }, async () => {
    const path = compile({ compiler: "rustc", source: rust, args: ["-C", "strip=symbols"] });
    execFileSync("objcopy", ["--remove-section=.comment", path], { timeout: 60_000 });
    expect((await judge(path)).elf?.maker).toBe("rust");
  });
});

function compile({ compiler, source, args }: Pick<Program, "compiler" | "source" | "args">): string {
  const [from, to] = [join(place, source[0]), join(place, "app")];
  writeFileSync(from, source[1]);
  const subcommand = compiler === "go" ? ["build"] : [];
  const env = { ...process.env, CGO_ENABLED: "0", GO111MODULE: "off" };
  execFileSync(compiler, [...subcommand, ...args, "-o", to, from], { env, timeout: 100_000, stdio: "pipe" });
  return to;
}

async function judge(path: string) {
  const platform = parsePlatform("linux/amd64");
  await using source = await fileSource(path);
  const report = await inspectExecutable(source, { platform });
  return { elf: report.elf, refusal: staticGate(report, { path: "/app", platform, mode: "static" }) };
}
