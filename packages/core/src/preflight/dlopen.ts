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

/** More than any program and its libraries note. */
const MOST_NAMES = 256;

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
  const names = [...new Set(needs.flatMap(({ sonames }) => sonames))].slice(0, MOST_NAMES);
  if (names.length === 0) return [];
  const found = await foundOf(libraries, program, names, options);
  const isSought = new Set(names);
  return needs.filter(({ sonames }) => sonames.every((name) => isSought.has(name) && !found.has(name)));
}

/** Which of some libraries the loader finds, all sought at once as if the program needed them. */
async function foundOf(
  libraries: LibraryRoot,
  program: string,
  names: readonly string[],
  options: ClosureOptions,
): Promise<ReadonlySet<string>> {
  const real = libraries.resolve(program)?.path;
  const { objects } = await closureOf(
    {
      ...libraries,
      async elf(file) {
        const elf = await libraries.elf(file);
        return elf === undefined || file.path !== real ? elf : { ...elf, needed: [...elf.needed, ...names] };
      },
    },
    program,
    options,
  );
  return new Set(
    objects.flatMap(({ name, elf }) => [name, ...(elf.soname === undefined ? [] : [elf.soname])]),
  );
}
