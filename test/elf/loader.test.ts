import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { closureOf, looksLikeElf, type Closure } from "@undocked/core/elf";
import { directoryRoot } from "../support/directory-root.ts";

// Every program takes its loader some milliseconds: a sample, unless all are asked for.
const everything = process.env["UNDOCKED_ELF_ORACLE"] === "all";
const sampleSize = 150;
const interpreter = "/lib64/ld-linux-x86-64.so.2";

describe.skipIf(!existsSync(interpreter))("beside this machine's loader", () => {
  test("every program's libraries are the loader's, in its order", { timeout: 600_000 }, async () => {
    const root = directoryRoot("/");
    const differences: string[] = [];
    let compared = 0;
    for (const path of sample([...programs(["/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec"])])) {
      const closure = await closureOf(root, path);
      if (closure.loader !== "glibc" || closure.objects[0]?.elf.interpreter !== interpreter) continue;
      const theirs = trace(path);
      if (theirs === undefined) continue;
      const ours = linesOf(closure);
      // What is missing has no place in our order.
      if (ours.some((line) => line.endsWith("=?"))) [ours, theirs].forEach((lines) => lines.sort());
      compared++;
      if (JSON.stringify(ours) !== JSON.stringify(theirs)) {
        differences.push(`${path}\n  ours   ${ours.join(" ")}\n  theirs ${theirs.join(" ")}`);
      }
    }
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThan(20);
    console.log(`${compared} programs have the loader's libraries.`);
  });
});

/** `name=path` of all libraries, with `?` for what is missing. */
function linesOf({ objects, problems }: Closure): string[] {
  const missing = problems
    .filter(({ code }) => code === "LIBRARY_MISSING")
    .map(({ message }) => `${/needs (\S+),/.exec(message)?.[1]}=?`);
  return [
    ...objects
      .filter(({ foundBy }) => foundBy !== "program")
      .map(({ name, path, foundBy }) =>
        foundBy === "interpreter" || name === path ? path : `${name}=${path}`,
      ),
    ...missing,
  ];
}

/** What the loader prints instead of starting the program. */
function trace(path: string): string[] | undefined {
  const { stdout, status } = spawnSync(path, [], {
    env: { LD_TRACE_LOADED_OBJECTS: "1" },
    encoding: "utf8",
    timeout: 10_000,
  });
  if (status === null || stdout === "") return undefined;
  return stdout
    .split("\n")
    .map((line) => line.trim().replace(/ \(0x[0-9a-f]+\)$/, ""))
    .filter((line) => line !== "" && !line.startsWith("linux-vdso.so.1"))
    .map((line) => line.replace(" => not found", "=?").replace(" => ", "="));
}

function sample(paths: readonly string[]): readonly string[] {
  if (everything) return paths;
  const step = Math.max(1, paths.length / sampleSize);
  return Array.from(
    { length: Math.min(paths.length, sampleSize) },
    (_, n) => paths[Math.floor(n * step)] ?? "",
  );
}

function* programs(directories: readonly string[]): Generator<string, void, void> {
  for (const directory of directories) {
    if (!existsSync(directory)) continue;
    const entries = readdirSync(directory, { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    );
    for (const entry of entries) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) yield* programs([path]);
      else if (entry.isFile() && isElf(path)) yield path;
    }
  }
}

/** Whether it could be one: the closure tells what has an interpreter. */
function isElf(path: string): boolean {
  const head = new Uint8Array(4);
  const file = openSync(path, "r");
  try {
    readSync(file, head, 0, 4, 0);
    return looksLikeElf(head);
  } finally {
    closeSync(file);
  }
}
