import type { Diagnostic } from "@undocked/registry";
import type { LoadedObject } from "./loaded-object.ts";

/** A needed library that is nowhere. */
export function libraryMissing(name: string, neededBy: string): Diagnostic {
  return {
    code: "LIBRARY_MISSING",
    severity: "error",
    message: `${neededBy} needs ${name}, which the loader finds nowhere in the image.`,
    hint: `Copy ${name} into a directory that the loader searches, use a base that has it, or link statically.`,
  };
}

/** A file of the right name at which the loader gives up. */
export function libraryInvalid(path: string, neededBy: string, reason: string): Diagnostic {
  return {
    code: "LIBRARY_INVALID",
    severity: "error",
    message: `${neededBy} needs ${path}, which ${reason}.`,
    hint: "Put the library for the program's platform there.",
  };
}

/** glibc's check of every version that an object needs (elf/dl-version.c). */
export function versionProblems(
  objects: readonly LoadedObject[],
  named: (name: string) => LoadedObject | undefined,
): readonly Diagnostic[] {
  return objects.flatMap((object) =>
    object.elf.versionNeeds.flatMap(({ library, versions }) => {
      const provider = named(library);
      if (provider === undefined) return [];
      const defined = provider.elf.versionDefinitions;
      if (defined.length === 0) return [unversioned(object, provider)];
      return versions
        .filter(({ name }) => !defined.includes(name))
        .map(({ name, weak }) => versionMissing(name, weak, object, provider));
    }),
  );
}

function unversioned(object: LoadedObject, provider: LoadedObject): Diagnostic {
  return {
    code: "LIBRARY_UNVERSIONED",
    severity: "warning",
    message: `${object.path} needs versions of ${provider.path}, which has none; the loader only tells it.`,
    hint: "Use the library that the program was linked with.",
  };
}

function versionMissing(
  version: string,
  weak: boolean,
  object: LoadedObject,
  provider: LoadedObject,
): Diagnostic {
  return {
    code: "LIBRARY_VERSION_MISSING",
    severity: weak ? "warning" : "error",
    message: `${object.path} needs ${version} of ${provider.path}, which has ${newest(version, provider)}.`,
    hint: "Build the program on a system as old as the base, use a newer base, or link statically.",
  };
}

/** The highest version of the same family: `GLIBC_2.36` for `GLIBC_2.38`. */
function newest(version: string, { elf }: LoadedObject): string {
  const family = version.slice(0, version.lastIndexOf("_") + 1);
  const highest = elf.versionDefinitions
    .filter((name) => name.startsWith(family) && /^\d/.test(name.slice(family.length)))
    .toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .at(-1);
  return highest === undefined ? `no ${family}…` : `${highest} at most`;
}
