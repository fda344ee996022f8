import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { closureOf, type Closure } from "@undocked/core/elf";
import { directoryRoot } from "../support/directory-root.ts";
import { randomFrom, writeLayout, type LibraryLayout } from "../support/library-layout.ts";
import { findProgram, lacks, lacksRoot } from "../support/tools.ts";

const count = Number(process.env["UNDOCKED_ELF_LAYOUTS"] ?? 100);
const root = mkdtempSync(join(tmpdir(), "undocked-layout-"));
const program = "/app/bin/program";
const glibc = { from: "/lib64/ld-linux-x86-64.so.2", to: "/lib64/ld-linux-x86-64.so.2" };
const musl = { from: "/lib/ld-musl-x86_64.so.1", to: "/lib/ld-musl-x86_64.so.1" };
const ldconfig = findProgram("ldconfig");
const busybox = findProgram("busybox");
const cannotRun = lacksRoot || lacks("busybox");

afterAll(() => rmSync(root, { recursive: true, force: true }));

/** What both sides say of a layout. */
interface Outcome {
  readonly libraries: readonly string[];
  /** Why the loader gave up at once, if it did. */
  readonly fatal: boolean;
  readonly missing: readonly string[];
  readonly versions: readonly string[];
}

describe.skipIf(cannotRun || ldconfig === undefined || !existsSync(glibc.from))("glibc's loader", () => {
  test(`finds the same in ${count} layouts`, { timeout: 600_000 }, async () => {
    const random = randomFrom(4711);
    const differences: string[] = [];
    const seen = { libraries: 0, fatal: 0, missing: 0, versions: 0 };
    for (let n = 0; n < count; n++) {
      const layout = writeLayout(root, random, glibc);
      if (random(2) === 0) {
        spawnSync(ldconfig!, ["-X", "-r", root]);
        for (const path of layout.stale) rmSync(join(root, path), { force: true });
      }
      const ours = outcomeOf(await closureIn(layout));
      const theirs = runGlibc(layout);
      seen.libraries += theirs.libraries.length;
      seen.fatal += theirs.fatal ? 1 : 0;
      seen.missing += theirs.missing.length;
      seen.versions += theirs.versions.length;
      // A loader that gives up tells of nothing else.
      const equal = theirs.fatal || ours.fatal ? ours.fatal === theirs.fatal : same(ours, theirs);
      if (!equal) differences.push(`${n}\n${JSON.stringify(ours)}\n${JSON.stringify(theirs)}`);
    }
    console.log(seen);
    expect(differences.slice(0, 3).join("\n\n")).toBe("");
    expect(Math.min(seen.libraries, seen.fatal, seen.missing, seen.versions)).toBeGreaterThan(0);
  });
});

describe.skipIf(cannotRun || !existsSync(musl.from))("musl's loader", () => {
  test(`finds the same in ${count} layouts`, { timeout: 600_000 }, async () => {
    const random = randomFrom(815);
    const differences: string[] = [];
    const seen = { libraries: 0, missing: 0, fatal: 0 };
    for (let n = 0; n < count; n++) {
      const layout = writeLayout(root, random, musl);
      const closure = await closureIn(layout);
      const ours = outcomeOf(closure);
      const theirs = runMusl(layout);
      seen.libraries += theirs.libraries.length;
      seen.missing += theirs.missing.length;
      seen.fatal += theirs.fatal ? 1 : 0;
      // musl maps a library for another machine, and dies in it: we say that it would.
      const equal =
        theirs.fatal || ours.fatal
          ? ours.fatal
          : JSON.stringify([ours.libraries, ours.missing]) ===
            JSON.stringify([theirs.libraries, theirs.missing]);
      if (!equal) differences.push(`${n}\n${JSON.stringify(ours)}\n${JSON.stringify(theirs)}`);
    }
    console.log(seen);
    expect(differences.slice(0, 3).join("\n\n")).toBe("");
  });
});

async function closureIn({ libraryPath }: LibraryLayout): Promise<Closure> {
  return await closureOf(directoryRoot(root), program, { libraryPath });
}

function same(ours: Outcome, theirs: Outcome): boolean {
  // While it traces, the loader puts a mock in a missing library's place; where another object finds it, its versions go unchecked.
  const isMocked = ours.missing.some((name) => ours.libraries.some((line) => line.startsWith(`${name}=`)));
  const compared = (outcome: Outcome): string =>
    JSON.stringify(isMocked ? { ...outcome, versions: [] } : outcome);
  return compared(ours) === compared(theirs);
}

function outcomeOf({ objects, problems }: Closure): Outcome {
  const messages = (code: string): readonly string[] =>
    problems.filter((problem) => problem.code === code).map(({ message }) => message);
  return {
    libraries: objects
      .filter(({ foundBy }) => foundBy !== "program" && foundBy !== "interpreter")
      .map(({ name, path }) => `${name}=${path}`)
      .sort(),
    fatal: messages("LIBRARY_INVALID").length > 0,
    missing: unique(messages("LIBRARY_MISSING").map((message) => / needs (\S+),/.exec(message)?.[1] ?? "")),
    versions: unique(
      messages("LIBRARY_VERSION_MISSING").map((message) => {
        const [, by = "", version = "", provider = ""] = /^(\S+) needs (\S+) of (\S+),/.exec(message) ?? [];
        return `${provider} ${version} ${by}`;
      }),
    ),
  };
}

function runGlibc({ libraryPath }: LibraryLayout): Outcome {
  // There is no /proc that would tell the loader where the program is.
  const variables = { LD_TRACE_LOADED_OBJECTS: "1", LD_ORIGIN_PATH: "/app/bin" };
  const { stdout, stderr, status } = inRoot(variables, [program], libraryPath);
  const lines = stdout.split("\n").map((line) => line.trim());
  return {
    libraries: librariesOf(lines),
    fatal: status !== 0 && /error while loading shared libraries/.test(stderr),
    missing: unique(lines.flatMap((line) => /^(\S+) => not found/.exec(line)?.[1] ?? [])),
    versions: unique(
      [...stderr.matchAll(/^\S+: (\S+): (?:weak )?version `(\S+)' not found \(required by (\S+)\)/gm)].map(
        ([, provider, version, by]) => `${provider} ${version} ${by}`,
      ),
    ),
  };
}

function runMusl({ libraryPath }: LibraryLayout): Outcome {
  const { stdout, stderr } = inRoot({}, [musl.to, "--list", program], libraryPath);
  return {
    libraries: librariesOf(stdout.split("\n").map((line) => line.trim())),
    fatal: /Exec format error/.test(stderr),
    missing: unique(
      [...stderr.matchAll(/Error loading shared library (\S+): No such file/g)].map(([, name = ""]) => name),
    ),
    versions: [],
  };
}

function librariesOf(lines: readonly string[]): readonly string[] {
  return lines
    .flatMap((line) => {
      const [, name, path] = /^(\S+) => (\/?\S+) \(0x/.exec(line) ?? [];
      return name === undefined || path?.includes("ld-musl") === true ? [] : [`${name}=${path}`];
    })
    .sort();
}

/** By a static shell's `env`: what is meant for the program must not reach chroot's own loader. */
function inRoot(
  variables: Readonly<Record<string, string>>,
  command: readonly string[],
  libraryPath: string,
) {
  cpSync(busybox!, join(root, "busybox"));
  const all = { ...variables, ...(libraryPath === "" ? {} : { LD_LIBRARY_PATH: libraryPath }) };
  const words = Object.entries(all).map(([name, value]) => `${name}=${value}`);
  return spawnSync("chroot", [root, "/busybox", "env", ...words, ...command], {
    encoding: "utf8",
    timeout: 20_000,
  });
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort();
}
