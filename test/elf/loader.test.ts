import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { closureOf, type Closure } from "@undocked/core/elf";
import { directoryRoot } from "../support/directory-root.ts";
import { elfFilesBelow, sampleOf } from "../support/elf-files.ts";

// Every program takes its loader some milliseconds: a sample, unless all are asked for.
const sampleSize = 150;
const directories = ["/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec"];
const interpreter = "/lib64/ld-linux-x86-64.so.2";

describe.skipIf(!existsSync(interpreter))("beside this machine's loader", () => {
  test("every program's libraries are the loader's, in its order", { timeout: 600_000 }, async () => {
    const root = directoryRoot("/");
    const differences: string[] = [];
    let compared = 0;
    const programs = directories.filter(existsSync).flatMap((directory) => [...elfFilesBelow(directory)]);
    for (const path of sampleOf(programs, sampleSize)) {
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
