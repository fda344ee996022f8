import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultPlatform } from "@undocked/registry";
import { imageFiles } from "../../packages/core/src/preflight/image-files.ts";
import { selfContainedFindings } from "../../packages/core/src/preflight/self-contained.ts";
import { indexedTree } from "../support/indexed-tree.ts";
import { randomFrom } from "../support/library-layout.ts";
import { buildElf, tinyPlatforms } from "../support/tiny-elf.ts";
import { lacks, lacksRoot } from "../support/tools.ts";

/* A tree of programs and libraries that musl-gcc makes, as a layer: the index of it against musl's own loader in it. */

const loader = "/lib/ld-musl-x86_64.so.1";
const libraryCount = 14;
const programCount = 40;
const cannot = lacksRoot || lacks("musl-gcc", "unshare") || !existsSync(loader) || process.arch !== "x64";

let tree: string;
beforeAll(() => {
  if (!cannot) tree = makeTree();
}, 300_000);
afterAll(() => {
  if (tree !== undefined) rmSync(tree, { recursive: true, force: true });
});

const libraries = Array.from({ length: libraryCount }, (_, at) => `/${folderOf(at)}/libm${at}x.so`);
const programs = Array.from({ length: programCount }, (_, at) => `/app/bin/p${at}`);

describe.skipIf(cannot)("self-contained, beside musl's loader", () => {
  test("accuses none of the programs, as the loader does not", async () => {
    expect(programs.map((path) => [path, listed(path).text.includes("Error")])).toEqual(
      programs.map((path) => [path, false]),
    );
    expect(await differences(programs)).toEqual({ wrong: [], broken: 0 });
  });

  test.each([
    ["removed", (place: string) => rmSync(place)],
    ["renamed", (place: string) => renameSync(place, `${place}.1`)],
    ["older, without a function", (place: string) => compileLibrary(place, { older: true })],
    ["a text", (place: string) => writeFileSync(place, "INPUT(libother.so)\n")],
    ["cut short", (place: string) => writeFileSync(place, readFileSync(place).subarray(0, 900))],
    [
      "of another machine",
      (place: string) =>
        writeFileSync(place, buildElf({ platform: tinyPlatforms["linux/arm64"], soname: "other" })),
    ],
    ["empty", (place: string) => writeFileSync(place, "")],
  ] as const)("names what the loader names when a library is %s", async (_, change) => {
    const all: string[] = [];
    let total = 0;
    for (const library of libraries) {
      const place = join(tree, library);
      const before = readFileSync(place);
      change(place);
      try {
        const some = programs.filter((_, at) => (at + libraries.indexOf(library)) % 3 === 0);
        const { wrong, broken } = await differences(some);
        all.push(...wrong.map((text) => `${library}: ${text}`));
        total += broken;
      } finally {
        rmSync(`${place}.1`, { force: true });
        writeFileSync(place, before);
      }
    }
    expect(all.slice(0, 3).join("\n\n")).toBe("");
    expect(total).toBeGreaterThan(10);
  });
});

/** Programs of which we say something else than the loader does, and how many it refuses. */
async function differences(
  some: readonly string[],
): Promise<{ readonly wrong: readonly string[]; readonly broken: number }> {
  const files = imageFiles(await indexedTree(tree));
  const wrong: string[] = [];
  let broken = 0;
  for (const path of some) {
    const ours = await selfContainedFindings(files, [path], {}, defaultPlatform);
    const theirs = listed(path);
    if (!theirs.whole) broken++;
    const missing = namesIn(ours, "LIBRARY_MISSING", / needs (\S+),/);
    const symbols = namesIn(ours, "SYMBOL_MISSING", /: (\S+ needs the symbol \S+),/);
    // A library that cannot be loaded is told as one, where musl tells of what it would have given as well.
    const isUnloadable = ours.some(({ code }) => code === "LIBRARY_INVALID" || code === "LIBRARY_MISSING");
    const same =
      (ours.length === 0) === theirs.whole &&
      missing === theirs.missing &&
      (isUnloadable || symbols === theirs.symbols);
    if (!same) wrong.push(`${path}\n${JSON.stringify(ours)}\n${theirs.text}`);
  }
  return { wrong, broken };
}

function namesIn(
  findings: readonly { readonly code: string; readonly message: string }[],
  code: string,
  pattern: RegExp,
): string {
  return sorted(findings.filter((one) => one.code === code).map(({ message }) => pattern.exec(message)?.[1]));
}

function sorted(names: readonly (string | undefined)[]): string {
  return [...new Set(names)].sort((a = "", b = "") => (a < b ? -1 : 1)).join(", ");
}

/** What the tree's own loader says, in the tree. */
function listed(path: string) {
  const { stdout, stderr, status } = spawnSync(
    "unshare",
    [`--root=${tree}`, "--wd=/", "--", loader, "--list", path],
    { encoding: "utf8", timeout: 20_000, env: {} },
  );
  const text = `${stdout}${stderr}`;
  const missing = [...text.matchAll(/Error loading shared library (\S+): No such file/g)].map(
    ([, name]) => name,
  );
  const symbols = [...text.matchAll(/Error relocating (\S+): (\S+): symbol not found/g)].map(
    ([, object, name]) => `${object} needs the symbol ${name}`,
  );
  return { whole: status === 0, missing: sorted(missing), symbols: sorted(symbols), text };
}

function folderOf(library: number): string {
  return ["usr/lib", "lib", "opt/lib", "usr/local/lib"][library % 4]!;
}

/** Which libraries each library, and then each program, calls; by a fixed seed. */
const calls: readonly (readonly number[])[] = (() => {
  const random = randomFrom(20_261_121);
  const some = (below: number, most: number): number[] => [
    ...new Set(Array.from({ length: below === 0 ? 0 : random(most + 1) }, () => random(below))),
  ];
  return [
    ...Array.from({ length: libraryCount }, (_, at) => some(at, 2)),
    ...Array.from({ length: programCount }, () => some(libraryCount, 3)),
  ];
})();

function makeTree(): string {
  const directory = mkdtempSync(join(tmpdir(), "undocked-musl-"));
  for (const name of ["app/bin", "lib", "usr/lib", "usr/local/lib", "opt/lib"])
    mkdirSync(join(directory, name), { recursive: true });
  copyFileSync(realpathSync(loader), join(directory, loader));
  tree = directory;
  for (const library of libraries) compileLibrary(join(directory, library), {});
  for (const [at, program] of programs.entries()) {
    const used = calls[libraryCount + at]!;
    const text = `${declarations(used)}int main(void) { return 0${used.map((n) => ` + f${n}a() + f${n}b()`).join("")}; }`;
    compile(join(directory, program), text, used, []);
  }
  return directory;
}

/** @param older - the last function is not there yet, and nobody else's is called */
function compileLibrary(place: string, { older = false }: { readonly older?: boolean }): void {
  const at = Number(/libm(\d+)x/.exec(place)?.[1]);
  const used = older ? [] : calls[at]!;
  const first = `int f${at}a(void) { return 0${used.map((n) => ` + f${n}a()`).join("")}; }`;
  const last = older ? "" : `int f${at}b(void) { return 0; }`;
  compile(place, `${declarations(used)}${first}\n${last}\n`, used, ["-shared", "-fPIC"]);
}

function declarations(used: readonly number[]): string {
  return used.map((n) => `int f${n}a(void), f${n}b(void);\n`).join("");
}

function compile(place: string, text: string, used: readonly number[], flags: readonly string[]): void {
  const links = used.map((n) => join(tree, libraries[n]!));
  // What lies in /opt is found by whoever says so.
  const rpath = used.some((n) => folderOf(n) === "opt/lib")
    ? ["-Wl,-rpath,$ORIGIN/../../opt/lib:/opt/lib"]
    : [];
  const name = flags.length === 0 ? [] : [`-Wl,-soname,${place.slice(place.lastIndexOf("/") + 1)}`];
  const args = ["-O1", "-x", "c", "-", "-x", "none", ...flags, ...name, ...rpath, ...links];
  execFileSync("musl-gcc", ["-Wl,--allow-shlib-undefined", ...args, "-o", place], {
    input: text,
    timeout: 60_000,
    stdio: ["pipe", "ignore", "inherit"],
  });
}
