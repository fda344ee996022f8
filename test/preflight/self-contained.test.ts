import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { looksLikeElf } from "@undocked/core/elf";
import { defaultPlatform } from "@undocked/registry";
import { imageFiles } from "../../packages/core/src/preflight/image-files.ts";
import { selfContainedFindings } from "../../packages/core/src/preflight/self-contained.ts";
import { bytesContent } from "../../packages/core/src/context/memory-tree.ts";
import type { RootFs } from "../../packages/core/src/rootfs/rootfs.ts";
import { indexedTree } from "../support/indexed-tree.ts";
import { buildElf, tinyPlatforms } from "../support/tiny-elf.ts";
import { lacksRoot } from "../support/tools.ts";

/* A tree of this machine's programs and their libraries, as a layer: the index of it against the loader in it. */

const loader = "/lib64/ld-linux-x86-64.so.2";
const wanted = 320;
const largest = 24 << 20;
const cannot = lacksRoot || !existsSync(loader) || process.arch !== "x64";

let directory: string;
let root: RootFs;
let programs: string[];

beforeAll(async () => {
  if (cannot) return;
  directory = mkdtempSync(join(tmpdir(), "undocked-tree-"));
  programs = extractTree();
  root = await indexedTree(directory);
}, 300_000);
afterAll(() => {
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

describe.skipIf(cannot)("self-contained, beside the loader of a tree", () => {
  test("accuses none of the programs, as the loader does not, and reads no byte of them", async () => {
    expect(programs.length).toBeGreaterThanOrEqual(300);
    const files = imageFiles(root);
    const wrong: string[] = [];
    for (const path of programs) {
      const ours = (await selfContainedFindings(files, [path], {}, defaultPlatform)).map(({ code }) => code);
      const theirs = listed(path);
      if ((ours.length === 0) !== theirs.whole) wrong.push(`${path}: ${ours.join(" ")} / ${theirs.text}`);
    }
    expect(wrong).toEqual([]);
  });

  test.each([
    ["removed", undefined, 20],
    ["of another machine", buildElf({ platform: tinyPlatforms["linux/arm64"], soname: "liba.so" }), 20],
    ["older", buildElf({ soname: "liba.so", versionDefinitions: ["liba.so", "OLD_1.0"] }), 5],
    // Of which the loader only tells.
    ["without versions", buildElf({ soname: "liba.so" }), 0],
    ["a text", Buffer.from("not a library\n"), 20],
    ["renamed", "renamed", 20],
  ] as const)("names what the loader names when a library is %s", async (_, bytes, least) => {
    const wrong: string[] = [];
    let [compared, broken] = [0, 0];
    for (const library of sample(libraries(), 24)) {
      const place = join(directory, library);
      const before = readFileSync(place);
      const changed = root.clone();
      changed.remove(library);
      rmSync(place);
      const other = bytes === "renamed" ? `${library}.old` : library;
      const written = bytes === "renamed" ? before : bytes;
      if (written !== undefined) {
        writeFileSync(join(directory, other), written, { mode: 0o755 });
        const node = {
          kind: "file",
          mode: 0o755,
          uid: 0,
          gid: 0,
          mtime: 0,
          size: written.byteLength,
        } as const;
        changed.put(other, node, bytesContent(written));
      }
      try {
        const files = imageFiles(changed);
        for (const path of sample(usersOf(library), 4)) {
          const ours = await selfContainedFindings(files, [path], {}, defaultPlatform);
          const theirs = listed(path);
          compared++;
          if (!theirs.whole) broken++;
          const missing = ours
            .filter(({ code }) => code === "LIBRARY_MISSING")
            .map(({ message }) => /needs (\S+),/.exec(message)?.[1] ?? "");
          const names = [...new Set(missing)].sort().join(" ");
          // A loader that gives up tells of nothing else.
          const gaveUp = ours.some(({ code }) => code === "LIBRARY_INVALID");
          const isSame = theirs.ended
            ? theirs.missing.every((name) => missing.includes(name))
            : names === theirs.missing.join(" ");
          const versions = unique(
            ours.flatMap(({ code, message }) => {
              const [, by = "", version = ""] = /: (\S+) needs (\S+) of /.exec(message) ?? [];
              return code === "LIBRARY_VERSION_MISSING" ? [`${version} by ${by}`] : [];
            }),
          );
          const equal =
            (ours.length === 0) === theirs.whole &&
            (gaveUp || theirs.ended || versions === theirs.versions) &&
            (gaveUp || isSame);
          if (!equal) wrong.push(`${path} without ${library}:\n  ${JSON.stringify(ours)}\n  ${theirs.text}`);
        }
      } finally {
        rmSync(`${place}.old`, { force: true });
        writeFileSync(place, before, { mode: 0o755 });
      }
    }
    expect(wrong.slice(0, 3).join("\n\n")).toBe("");
    expect(compared).toBeGreaterThan(20);
    expect(broken).toBeGreaterThanOrEqual(least);
    console.log(`${compared} compared, ${broken} broken`);
  });
});

interface Listed {
  readonly whole: boolean;
  /** Sorted. */
  readonly missing: readonly string[];
  /** `GLIBC_2.38 by /usr/bin/program`, joined. */
  readonly versions: string;
  /** At the first library that it missed. */
  readonly ended: boolean;
  readonly text: string;
}

/** What the tree's own loader says, in the tree. */
function listed(path: string): Listed {
  const { stdout, stderr, status } = spawnSync(
    "unshare",
    [`--root=${directory}`, "--wd=/", "--", loader, "--list", path],
    { encoding: "utf8", timeout: 20_000, env: {} },
  );
  const text = `${stdout}${stderr}`;
  // With some programs it goes on after a library that it misses, with others it ends there.
  const missing = [
    ...text.matchAll(/^\s*(\S+) => not found|loading shared libraries: ([^:\s]+): cannot open/gm),
  ].map(([, name, last]) => name ?? last ?? "");
  const whole = status === 0 && missing.length === 0 && !/version `.*' not found/.test(text);
  const ended = text.includes("error while loading shared libraries");
  const versions = unique(
    [...text.matchAll(/version `(\S+)' not found \(required by (\S+)\)/g)].map(
      ([, version, by]) => `${version} by ${by}`,
    ),
  );
  return { whole, missing: [...new Set(missing)].sort(), versions, ended, text };
}

function unique(names: readonly string[]): string {
  return [...new Set(names)].sort().join(", ");
}

const uses = new Map<string, string[]>();
const libraries = (): string[] => [...uses.keys()].filter((path) => !/ld-linux/.test(path)).sort();
const usersOf = (library: string): string[] => uses.get(library) ?? [];

/** Programs with all that the loader finds for them here, under a merged /usr. */
function extractTree(): string[] {
  for (const name of ["bin", "sbin", "lib", "lib64"]) {
    mkdirSync(join(directory, "usr", name), { recursive: true });
    symlinkSync(`usr/${name}`, join(directory, name));
  }
  mkdirSync(join(directory, "etc"));
  if (existsSync("/etc/ld.so.cache")) copyFileSync("/etc/ld.so.cache", join(directory, "etc/ld.so.cache"));
  take(loader);
  const found: string[] = [];
  for (const folder of ["/usr/bin", "/usr/sbin", "/usr/lib/git-core", "/usr/libexec"]) {
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder).sort()) {
      const path = join(folder, name);
      const stat = lstatSync(path);
      if (found.length >= wanted || !stat.isFile() || stat.size > largest || stat.size < 64) continue;
      if (!looksLikeElf(readFileSync(path).subarray(0, 4))) continue;
      const { stdout, status } = spawnSync(loader, ["--list", path], { encoding: "utf8", timeout: 20_000 });
      if (status !== 0 || stdout.includes("not found") || !stdout.includes("libc.so.6")) continue;
      const needed = [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, library = ""]) => library);
      if (needed.some((library) => lstatSync(realpathSync(library)).size > largest)) continue;
      take(path);
      for (const library of needed) {
        const place = take(library);
        uses.set(place, [...(uses.get(place) ?? []), path]);
      }
      found.push(path);
    }
  }
  return found;
}

/** Copies a file to where it is here once links of directories are followed. */
function take(path: string): string {
  const place = join(realpathSync(dirname(path)), basename(path));
  const target = join(directory, place);
  if (!existsSync(target)) {
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(realpathSync(path), target);
  }
  return place;
}

function sample<T>(all: readonly T[], count: number): T[] {
  const step = Math.max(1, all.length / count);
  return Array.from({ length: Math.min(count, all.length) }, (_, at) => all[Math.floor(at * step)]!);
}
