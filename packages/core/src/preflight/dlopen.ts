import { closureOf } from "../elf/closure.ts";
import type { LibraryRoot } from "../elf/library-root.ts";
import type { Closure, ClosureOptions } from "../elf/loaded-object.ts";

/** A library that an object says it opens when it runs, and cannot do without. */
export interface DlopenMiss {
  readonly object: string;
  /** Any of them would do. */
  readonly sonames: readonly string[];
  readonly feature?: string;
}

/** More than any program notes, all its libraries' needs together: each one costs a walk through them all. */
const MOST_LOOKUPS = 64;

/** Required libraries of `.note.dlopen` that the loader would not find. They are sought as the program's own. */
export async function missingDlopens(
  libraries: LibraryRoot,
  program: string,
  { objects }: Closure,
  options: ClosureOptions,
): Promise<readonly DlopenMiss[]> {
  const needs = objects.flatMap(({ path, elf }) =>
    elf.notes.dlopen
      .filter(({ priority, sonames }) => priority === "required" && sonames.length > 0)
      .map(({ sonames, feature }) => ({
        object: path,
        sonames,
        ...(feature === undefined ? {} : { feature }),
      })),
  );
  const missing: DlopenMiss[] = [];
  let left = MOST_LOOKUPS;
  for (const need of needs) {
    left -= need.sonames.length;
    if (left < 0) break;
    if (!(await hasAny(libraries, program, need.sonames, options))) missing.push(need);
  }
  return missing;
}

async function hasAny(
  libraries: LibraryRoot,
  program: string,
  sonames: readonly string[],
  options: ClosureOptions,
): Promise<boolean> {
  const real = libraries.resolve(program)?.path;
  for (const soname of sonames) {
    const { objects } = await closureOf(
      {
        ...libraries,
        async elf(file) {
          const elf = await libraries.elf(file);
          return elf === undefined || file.path !== real ? elf : { ...elf, needed: [...elf.needed, soname] };
        },
      },
      program,
      options,
    );
    if (objects.some(({ name, elf }) => name === soname || elf.soname === soname)) return true;
  }
  return false;
}
