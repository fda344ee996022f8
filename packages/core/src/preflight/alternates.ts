import type { Diagnostic } from "@undocked/registry";
import { closureOf } from "../elf/closure.ts";
import type { LibraryRoot } from "../elf/library-root.ts";
import type { Closure, ClosureOptions } from "../elf/loaded-object.ts";
import { architectureOf } from "../elf/machine.ts";

/** What goes wrong on processors for which an image has libraries of their own. */
export interface AlternateProblem {
  /** As the subdirectory of `glibc-hwcaps`: `x86-64-v3`. */
  readonly level: string;
  readonly problem: Diagnostic;
}

/** From the newest processors to the oldest that have a name (glibc, `_dl_hwcaps_subdirs`). */
const levels: Readonly<Record<string, readonly string[]>> = {
  amd64: ["x86-64-v4", "x86-64-v3", "x86-64-v2"],
  ppc64le: ["power10", "power9"],
  s390x: ["z16", "z15", "z14", "z13"],
};

/** Problems that a program has only where its loader takes other libraries than it does on the oldest processor. */
export async function alternateProblems(
  libraries: LibraryRoot,
  program: string,
  baseline: Closure,
  options: ClosureOptions,
): Promise<readonly AlternateProblem[]> {
  const elf = baseline.objects[0]?.elf;
  const known = elf === undefined ? undefined : levels[architectureOf(elf) ?? ""];
  if (baseline.loader !== "glibc" || known === undefined) return [];
  const files = ({ objects }: Closure): string => objects.map(({ file }) => file.path).join("\n");
  const newest = await closureOf(libraries, program, { ...options, hwcaps: known });
  if (files(newest) === files(baseline)) return [];
  const told = new Set(baseline.problems.map(({ message }) => message));
  const found: AlternateProblem[] = [];
  // The oldest first: what is wrong there is wrong on newer ones for the same reason.
  for (let from = known.length - 1; from >= 0; from--) {
    const { problems } = await closureOf(libraries, program, { ...options, hwcaps: known.slice(from) });
    for (const problem of problems) {
      if (problem.severity !== "error" || told.has(problem.message)) continue;
      told.add(problem.message);
      found.push({ level: known[from] ?? "", problem });
    }
  }
  return found;
}
