import { describe, expect, test } from "vitest";
import { parsePlatform } from "@undocked/registry";
import { withSections } from "../../../../test/support/tiny-elf-sections.ts";
import { buildElf, type TinyElf } from "../../../../test/support/tiny-elf.ts";
import { bytesSource } from "./byte-source.ts";
import { readElf } from "./elf.ts";
import type { Maker } from "./maker.ts";
import { staticHint } from "./static-hint.ts";

const dynamic: TinyElf = { pie: true, interpreter: "/lib64/ld-linux-x86-64.so.2", needed: ["libc.so.6"] };
const gcc = "GCC: (Debian 12.2.0-14) 12.2.0";
const signature = Buffer.from("8b1202b96a612038727b930214d7a03213f5b9e6efae3318ee3b2dce24b36aae", "hex");

/** A dynamic program that has those lines in its `.comment`. */
function commented(lines: readonly string[], elf: TinyElf = {}): Uint8Array {
  return withSections(buildElf({ ...dynamic, ...elf }), { ".comment": Buffer.from(`${lines.join("\0")}\0`) });
}

/** A dynamic program that has those names among its dynamic strings. */
function naming(...names: readonly string[]): Uint8Array {
  return buildElf({ ...dynamic, needed: ["libz.so.1", ...names] });
}

/** Each language by each of the marks that it leaves, and the words of its own way out. */
const programs: readonly (readonly [name: string, file: Uint8Array, maker: Maker, words: string])[] = [
  ["Go's note", note("Go"), "go", "CGO_ENABLED=0"],
  ["postject's note", note("NODE_SEA_BLOB"), "node", "Node's single executables"],
  ["Bun's trailer", trailed("\n---- Bun! ----\n"), "bun", "bun build --compile"],
  ["Deno's trailer", trailed("d3n0l4nd"), "deno", "deno compile"],
  ["rustc's comment", commented(["rustc version 1.95.0 (5980 2026-04-14)", gcc]), "rust", "+crt-static"],
  ["rustc's comment beside libstdc++", commented(["rustc version 1.95.0", gcc], cpp()), "rust", "--target"],
  ["a panic's path", trailed("/rustc/59807616e/library/std/src/rt.rs"), "rust", "x86_64-unknown-linux-musl"],
  ["zig's comment", commented(["zig 0.14.0"]), "zig", "zig build -Dtarget=x86_64-linux-musl"],
  [
    "start-up code of clang beside glibc",
    commented(["clang version 22.1.8", "Linker: LLD"]),
    "zig",
    "zig build-exe",
  ],
  [
    "clang's comment beside musl",
    commented(["clang version 17.0.6"], { needed: ["libc.so"] }),
    "c",
    "musl-gcc",
  ],
  ["GCC's comment", commented([gcc]), "c", "x86_64-linux-gnu-gcc -static"],
  ["clang's comment", commented([gcc, "Debian clang version 14.0.6", "Linker: LLD 14"]), "c", "musl-gcc"],
  ["libstdc++", buildElf({ ...dynamic, ...cpp() }), "c++", "x86_64-linux-gnu-g++ -static"],
  ["libc++", buildElf({ ...dynamic, needed: ["libc++.so.1", "libc.so.6"] }), "c++", "zig c++"],
  ["GCC's comment and tables of exceptions", thrower(), "c++", "g++ -static"],
  [".NET's bundle", buildElf({ ...dynamic, ...cpp(), data: signature }), "dotnet", "PublishAot=true"],
  [".NET's single host", naming("DotNetRuntimeInfo"), "dotnet", "StaticExecutable=true"],
  [".NET's native AOT", sectioned("__managedcode"), "dotnet", "dotnet publish"],
  ["GraalVM's heap", sectioned(".svm_heap"), "graalvm", "native-image --static --libc=musl"],
  ["Substrate VM's version", naming("__svm_version_info"), "graalvm", "--static-nolibc"],
];

describe("what made a dynamic program", () => {
  test.each(programs)("shows by %s, and has its own way out", async (_, file, maker, words) => {
    const facts = await readElf(bytesSource(file));
    expect(facts.maker).toBe(maker);
    const hint = staticHint(parsePlatform("linux/amd64"), facts);
    expect(hint).toContain(words);
    expect(hint).toMatch(/^[A-Z].*\.$/);
    expect(hint).not.toMatch(/ C and C\+\+: /);
  });

  test("has a hint that no other has", async () => {
    const platform = parsePlatform("linux/arm64");
    const hints = new Map<Maker, string>();
    for (const [, file, maker] of programs) {
      hints.set(maker, staticHint(platform, await readElf(bytesSource(file))));
    }
    expect(hints.size).toBe(10);
    expect(new Set(hints.values()).size).toBe(10);
  });

  test.each<[name: string, file: Uint8Array]>([
    ["nothing", buildElf(dynamic)],
    ["a compiler that we do not know", commented([gcc, "GHC 9.0.2"])],
    [
      "a section that is called as what every object has",
      withSections(buildElf(dynamic), { constructor: Buffer.from("x") }),
    ],
    ["a linker alone", commented(["Linker: LLD 16.0.0"])],
    ["a name that only contains one of the names", naming("my__svm_version_info", "DotNetRuntimeInfoX")],
    ["a comment outside of the file", moved(commented([gcc]), 1 << 30)],
    ["a table of names outside of the file", moved(commented([gcc]), 1 << 30, 2)],
  ])("does not show by %s", async (_, file) => {
    const facts = await readElf(bytesSource(file));
    expect(facts.maker).toBeUndefined();
    expect(facts.faults).toEqual([]);
    expect(staticHint(parsePlatform("linux/amd64"), facts)).toMatch(/C and C\+\+: .* Go: .* Rust: /);
  });
});

test("of what need not be linked anew nobody asks which compiler made it", async () => {
  const comment = { ".comment": Buffer.from(`${gcc}\0`) };
  for (const elf of [{}, { pie: true }, { soname: "liba.so" }]) {
    expect((await readElf(bytesSource(withSections(buildElf(elf), comment)))).maker).toBeUndefined();
  }
});

function note(owner: string): Uint8Array {
  return buildElf({ ...dynamic, notes: [{ owner, type: 4, content: Buffer.from("id") }] });
}

function trailed(mark: string): Uint8Array {
  return buildElf({ ...dynamic, data: Buffer.from(`js${mark}\0\0\0\0`) });
}

function cpp(): TinyElf {
  return { needed: ["libstdc++.so.6", "libc.so.6"] };
}

function thrower(): Uint8Array {
  const sections = { ".comment": Buffer.from(`${gcc}\0`), ".gcc_except_table": new Uint8Array(8) };
  return withSections(buildElf(dynamic), sections);
}

function sectioned(name: string): Uint8Array {
  const sections = { ".comment": Buffer.from(`${gcc}\0`), [name]: new Uint8Array(8) };
  return withSections(buildElf({ ...dynamic, ...cpp() }), sections);
}

/** Another place for the content of a section. */
function moved(file: Uint8Array, offset: number, section = 1): Uint8Array {
  const copy = Buffer.from(file);
  const table = Number(copy.readBigUInt64LE(40));
  copy.writeBigUInt64LE(BigInt(offset), table + 64 * section + 24);
  return copy;
}
