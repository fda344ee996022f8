import type { Diagnostic } from "@undocked/registry";
import type { ElfFacts } from "./elf.ts";
import type { ClosedBy } from "./library-root.ts";
import type { LoadedObject } from "./loaded-object.ts";
import { givenBy, symbolHash } from "./symbols.ts";

/** A needed library that is nowhere. */
export function libraryMissing(name: string, neededBy: string): Diagnostic {
  return {
    code: "LIBRARY_MISSING",
    severity: "error",
    message: `${neededBy} needs ${name}, which the loader finds nowhere in the image.`,
    hint: `Copy ${name} into a directory that the loader searches, use a base that has it, or link statically.`,
  };
}

/** A library that a loader went by, since its user may not open it. */
export interface PassedOver {
  readonly path: string;
  readonly closed: ClosedBy;
}

/** A needed library that is nowhere, or only where the user may not read it. */
export function libraryNotFound(
  name: string,
  neededBy: string,
  passedOver: PassedOver | undefined,
): Diagnostic {
  if (passedOver === undefined) return libraryMissing(name, neededBy);
  return libraryUnreadable(passedOver.path, neededBy, passedOver.closed);
}

export function libraryUnreadable(
  library: string,
  neededBy: string,
  { user, path, mode }: ClosedBy,
): Diagnostic & { readonly hint: string } {
  return {
    code: "LIBRARY_UNREADABLE",
    severity: "error",
    message: `${neededBy} needs ${library}, and the user ${user} may not read it: ${path} has mode ${mode}.`,
    hint: `Give ${path} mode 0755.`,
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

/** Why a file that says it is a library cannot be mapped and linked; `undefined`: it can. */
export function libraryDamage({ wholeness, hasDynamic, faults }: ElfFacts): string | undefined {
  if (wholeness === "truncated") return "ends before what its headers promise";
  if (wholeness === "debug-only") return "has a library's debug information and not its code";
  if (!hasDynamic) return "has no dynamic section";
  const [fault] = faults;
  return fault === undefined ? undefined : `is damaged: ${fault.message.replace(/\.$/, "")}`;
}

/** glibc's check of every version that an object needs (elf/dl-version.c). */
export function versionProblems(
  objects: readonly LoadedObject[],
  named: (name: string) => LoadedObject | undefined,
): readonly Diagnostic[] {
  const known = new Map<LoadedObject, DefinedVersions>();
  const definedBy = (provider: LoadedObject): DefinedVersions => {
    const before = known.get(provider);
    if (before !== undefined) return before;
    const made = definedVersions(provider.elf.versionDefinitions);
    known.set(provider, made);
    return made;
  };
  return objects.flatMap((object) =>
    object.elf.versionNeeds.flatMap(({ library, versions }) => {
      const provider = named(library);
      if (provider === undefined) return [];
      const defined = definedBy(provider);
      if (defined.names.size === 0) return [unversioned(object, provider)];
      return versions
        .filter(({ name }) => !defined.names.has(name))
        .map(({ name, weak }) => ({
          code: "LIBRARY_VERSION_MISSING",
          severity: weak ? ("warning" as const) : ("error" as const),
          message: `${object.path} needs ${name} of ${provider.path}, which has ${newest(name, defined)}.`,
          hint: "Build the program on a system as old as the base, use a newer base, or link statically.",
        }));
    }),
  );
}

/** More than anybody reads. */
const MOST_SYMBOLS = 64;

/** What musl misses as it binds every symbol before the start; nothing where one of the files was not read so far. */
export function symbolProblems(objects: readonly LoadedObject[]): readonly Diagnostic[] {
  const known = objects.flatMap(({ elf }) => elf.symbols ?? []);
  if (known.length < objects.length) return [];
  const given = known.map(givenBy);
  return objects
    .flatMap(({ path, elf }) =>
      (elf.symbols?.wanted ?? [])
        .filter((name) => !given.some((hashes) => hashes.has(symbolHash(name))))
        .map((name) => ({
          code: "SYMBOL_MISSING",
          severity: "error" as const,
          message: `${path} needs the symbol ${name}, which neither the program nor its libraries define.`,
          hint: "Use the libraries that it was linked with, use a base as new as theirs, or link statically.",
        })),
    )
    .slice(0, MOST_SYMBOLS);
}

function unversioned(object: LoadedObject, provider: LoadedObject): Diagnostic {
  return {
    code: "LIBRARY_UNVERSIONED",
    severity: "warning",
    message: `${object.path} needs versions of ${provider.path}, which has none; the loader only tells it.`,
    hint: "Use the library that the program was linked with.",
  };
}

interface DefinedVersions {
  readonly names: ReadonlySet<string>;
  /** Of each family, the highest: `GLIBC_2.36` of `GLIBC_`. */
  readonly highest: ReadonlyMap<string, string>;
}

function definedVersions(names: readonly string[]): DefinedVersions {
  const highest = new Map<string, string>();
  const order = new Intl.Collator("en", { numeric: true });
  for (const name of names) {
    const family = familyOf(name);
    if (!/^\d/.test(name.slice(family.length))) continue;
    const before = highest.get(family);
    if (before === undefined || order.compare(name, before) > 0) highest.set(family, name);
  }
  return { names: new Set(names), highest };
}

function familyOf(version: string): string {
  return version.slice(0, version.lastIndexOf("_") + 1);
}

function newest(version: string, { highest }: DefinedVersions): string {
  const family = familyOf(version);
  const found = highest.get(family);
  return found === undefined ? `no ${family}…` : `${found} at most`;
}
