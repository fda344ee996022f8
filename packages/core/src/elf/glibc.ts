import type { Diagnostic } from "@undocked/registry";
import { cleanPath } from "../context/path.ts";
import { sameAbi } from "./abi.ts";
import type { Closure, ClosureRequest, FoundBy, LoadedObject } from "./loaded-object.ts";
import { DynamicFlag } from "./dynamic.ts";
import type { ElfFacts } from "./elf.ts";
import { cacheFlags, parseLdSoCache, type CacheEntry } from "./ld-so-cache.ts";
import {
  libraryDamage,
  libraryInvalid,
  libraryMissing,
  libraryNotFound,
  versionProblems,
  type PassedOver,
} from "./library-problems.ts";
import { absolute, directoryOf, probeCounter, type LibraryRoot, type RootFile } from "./library-root.ts";
import { architectureOf } from "./machine.ts";
import { expandTokens } from "./tokens.ts";

const cacheLimit = 16 << 20;
const preloadLimit = 1 << 16;

/** An object in the loader's list, with all names that it answers to. */
interface Loaded extends LoadedObject {
  readonly names: Set<string>;
  readonly loader?: Loaded;
  readonly origin: string;
}

type Found =
  | { readonly kind: "found"; readonly path: string; readonly file: RootFile; readonly elf: ElfFacts }
  | { readonly kind: "fatal"; readonly path: string; readonly reason: string };

/**
 * glibc's loader: breadth-first; RPATH, LD_LIBRARY_PATH, RUNPATH, the cache, the default directories (elf/dl-load.c,
 * `_dl_map_object`), and then the versions (elf/dl-version.c).
 */
export async function glibcClosure(root: LibraryRoot, request: ClosureRequest): Promise<Closure> {
  const { program, interpreter, options } = request;
  const { workingDirectory = "/", hwcaps = [], secure = false } = options;
  const libraryPath = secure ? "" : (options.libraryPath ?? "");
  const directories = defaultDirectories(interpreter.elf);
  const cache = await readCache(root, program.elf);
  const probe = probeCounter();
  const problems: Diagnostic[] = [];

  const main: Loaded = {
    name: program.path,
    path: program.path,
    file: program.file,
    elf: program.elf,
    foundBy: "program",
    names: new Set([""]),
    origin: directoryOf(program.file.path),
  };
  const loader: Loaded = {
    name: interpreter.path,
    path: interpreter.path,
    file: interpreter.file,
    elf: interpreter.elf,
    foundBy: "interpreter",
    names: new Set([interpreter.path]),
    origin: directoryOf(interpreter.path),
  };
  // The loader is in the list from the start, at its end, and moves to where somebody needs it.
  const objects: Loaded[] = [main];
  const known: Loaded[] = [main, loader];

  const named = (name: string): Loaded | undefined =>
    known.find((object) => object.names.has(name) || object.path === name || object.elf.soname === name);
  const tokensOf = (object: Loaded) => ({
    ORIGIN: object.origin,
    LIB: libToken(directories),
    PLATFORM: platforms[architectureOf(program.elf) ?? ""] ?? "",
  });
  const expanded = (text: string, object: Loaded): string | undefined => {
    if (!text.includes("$")) return text;
    const path = expandTokens(text, tokensOf(object));
    return secure && !isTrusted(text, path, directories) ? undefined : path;
  };
  const listed = (text: string, object: Loaded, separator: RegExp): readonly string[] =>
    text === "" ? [] : text.split(separator).flatMap((part) => expanded(part, object) ?? []);

  /** What was passed over in the search that goes on. */
  let passedOver: PassedOver | undefined;
  const verify = async (path: string): Promise<Found | undefined> => {
    probe();
    const file = root.resolve(absolute(path, workingDirectory));
    if (file === undefined) return undefined;
    if (file.closed !== undefined) {
      passedOver ??= { path, closed: file.closed };
      return undefined;
    }
    if (file.kind !== "file") return { kind: "fatal", path, reason: "is no file" };
    const elf = await root.elf(file);
    if (elf === undefined) return { kind: "fatal", path, reason: "is no ELF file (invalid ELF header)" };
    const fits =
      elf.class === program.elf.class && elf.machine === program.elf.machine && sameAbi(elf, program.elf);
    if (!fits) return undefined;
    if (elf.endian !== program.elf.endian) return { kind: "fatal", path, reason: "has the other byte order" };
    if (elf.type !== "dyn") return { kind: "fatal", path, reason: "is no library" };
    if ((elf.flags1 & DynamicFlag.pie) !== 0) return { kind: "fatal", path, reason: "is a program" };
    const damage = libraryDamage(elf);
    if (damage !== undefined) return { kind: "fatal", path, reason: damage };
    return { kind: "found", path, file, elf };
  };
  const inDirectories = async (name: string, candidates: readonly string[]): Promise<Found | undefined> => {
    for (const candidate of candidates) {
      // An empty element is the working directory.
      const directory = candidate === "" ? "" : `${candidate.replace(/\/+$/, "")}/`;
      for (const level of hwcaps) {
        const found = await verify(`${directory}glibc-hwcaps/${level}/${name}`);
        if (found !== undefined) return found;
      }
      const found = await verify(`${directory}${name}`);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const inCache = async (name: string, needing: Loaded): Promise<Found | undefined> => {
    const path = cachedPath(cache, name, hwcaps);
    if (path === undefined) return undefined;
    const isDefault = directories.some((directory) => path.startsWith(`${directory}/`));
    return isNoDefault(needing) && isDefault ? undefined : verify(path);
  };

  const search = async (name: string, needing: Loaded): Promise<readonly [Found, FoundBy] | undefined> => {
    if (needing.elf.runpath === undefined) {
      const chain = [...ancestors(needing)];
      for (const object of chain.includes(main) ? chain : [...chain, main]) {
        // An object's RPATH is ignored beside its RUNPATH.
        const rpath = object.elf.runpath === undefined ? object.elf.rpath : undefined;
        const found = await inDirectories(name, listed(rpath ?? "", object, /:/));
        if (found !== undefined) return [found, "rpath"];
      }
    }
    const fromEnvironment = await inDirectories(name, listed(libraryPath, main, /[:;]/));
    if (fromEnvironment !== undefined) return [fromEnvironment, "environment"];
    const fromRunpath = await inDirectories(name, listed(needing.elf.runpath ?? "", needing, /:/));
    if (fromRunpath !== undefined) return [fromRunpath, "runpath"];
    const cached = await inCache(name, needing);
    if (cached !== undefined) return [cached, "cache"];
    if (isNoDefault(needing)) return undefined;
    const byDefault = await inDirectories(name, directories);
    return byDefault === undefined ? undefined : [byDefault, "default"];
  };

  const load = async (written: string, needing: Loaded): Promise<void> => {
    probe();
    const name = expanded(written, needing);
    if (name === undefined) {
      problems.push(libraryMissing(written, needing.path));
      return;
    }
    const before = named(name);
    if (before !== undefined) {
      before.names.add(name);
      if (!objects.includes(before)) objects.push(before);
      return;
    }
    passedOver = undefined;
    const direct = name.includes("/") ? await verify(name) : undefined;
    const result = name.includes("/")
      ? direct === undefined
        ? undefined
        : ([direct, "path"] as const)
      : await search(name, needing);
    if (result === undefined) {
      problems.push(libraryNotFound(name, needing.path, passedOver));
      return;
    }
    const [found, foundBy] = result;
    if (found.kind === "fatal") {
      problems.push(libraryInvalid(found.path, needing.path, found.reason));
      return;
    }
    const same = known.find(({ file }) => (file.id ?? file.path) === (found.file.id ?? found.file.path));
    if (same !== undefined) {
      same.names.add(name);
      if (!objects.includes(same)) objects.push(same);
      return;
    }
    const opened = absolute(found.path, workingDirectory);
    const object: Loaded = {
      name,
      path: found.path,
      file: found.file,
      elf: found.elf,
      neededBy: needing.path,
      foundBy,
      names: new Set([name]),
      loader: needing,
      origin: directoryOf(opened),
    };
    known.push(object);
    objects.push(object);
  };

  const tolerant = async (name: string, needing: Loaded, tell: boolean): Promise<void> => {
    const count = problems.length;
    await load(name, needing);
    const told = problems.splice(count).map((problem) => ({ ...problem, severity: "warning" as const }));
    if (tell) problems.push(...told);
  };
  // The loader only tells of what it cannot preload.
  const preloaded = secure ? [] : (options.preload ?? "").split(/[ :]/);
  for (const name of [...preloaded, ...(await readPreloadFile(root))]) {
    if (name !== "") await tolerant(name, main, true);
  }
  for (let n = 0; n < objects.length; n++) {
    const object = objects[n];
    if (object === undefined || object === loader) continue;
    for (const name of object.elf.needed) await load(name, object);
    for (const { name, required } of object.elf.filters ?? []) {
      if (required) await load(name, object);
      else await tolerant(name, object, false);
    }
  }
  if (!objects.includes(loader)) objects.push(loader);
  problems.push(...versionProblems(objects, named));
  return { loader: "glibc", objects: objects.map(publicObject), problems };
}

function publicObject({ name, path, file, elf, neededBy, foundBy }: Loaded): LoadedObject {
  return { name, path, file, elf, ...(neededBy === undefined ? {} : { neededBy }), foundBy };
}

function* ancestors(object: Loaded): Generator<Loaded, void, void> {
  for (let at: Loaded | undefined = object; at !== undefined; at = at.loader) yield at;
}

function isNoDefault({ elf }: Loaded): boolean {
  return (elf.flags1 & DynamicFlag.noDefaultLibraries) !== 0;
}

/** A program that gains rights takes `$ORIGIN` at a path's start alone, and where that leads to a default directory. */
function isTrusted(text: string, path: string, directories: readonly string[]): boolean {
  if (!/\$\{?ORIGIN/.test(text)) return true;
  const real = cleanPath(path);
  return (
    /^\$(?:ORIGIN|\{ORIGIN\})(?:\/|$)/.test(text) &&
    directories.some((directory) => real === directory || real.startsWith(`${directory}/`))
  );
}

/** The system's own list of what to load before all else: names between blanks and colons, `#` to the line's end is left out. */
async function readPreloadFile(root: LibraryRoot): Promise<readonly string[]> {
  const file = root.resolve("/etc/ld.so.preload");
  const isRead = file?.kind === "file" && file.closed === undefined;
  const bytes = isRead ? await root.read(file, preloadLimit) : undefined;
  const text = Buffer.from(bytes ?? new Uint8Array(0)).toString();
  return text.replace(/#.*/g, "").split(/[\s:]+/);
}

/** By name, in the cache's order. */
type Cache = ReadonlyMap<string, readonly CacheEntry[]>;

async function readCache(root: LibraryRoot, program: ElfFacts): Promise<Cache> {
  const file = root.resolve("/etc/ld.so.cache");
  if (file?.kind !== "file" || file.closed !== undefined) return new Map();
  const bytes = await root.read(file, cacheLimit);
  const entries = bytes === undefined ? undefined : parseLdSoCache(bytes, program.endian);
  const softFloat = (program.flags & 0x600) === 0x200;
  const flags = cacheFlags(architectureOf(program) ?? "", { softFloat });
  const byName = new Map<string, CacheEntry[]>();
  for (const entry of entries ?? []) {
    if (!flags.includes(entry.flags)) continue;
    const same = byName.get(entry.name);
    if (same === undefined) byName.set(entry.name, [entry]);
    else same.push(entry);
  }
  return byName;
}

function cachedPath(cache: Cache, name: string, hwcaps: readonly string[]): string | undefined {
  const entries = cache.get(name) ?? [];
  const best = hwcaps
    .map((level) => entries.find(({ hwcap }) => hwcap === level))
    .find((entry) => entry !== undefined);
  return (best ?? entries.find(({ hwcap }) => hwcap === undefined))?.path;
}

/** Where the loader itself says, and else where upstream's looks. */
function defaultDirectories({ loader, class: width }: ElfFacts): readonly string[] {
  if (loader?.kind === "glibc" && loader.directories.length > 0) return loader.directories;
  return width === 64 ? ["/lib64", "/usr/lib64", "/lib", "/usr/lib"] : ["/lib", "/usr/lib"];
}

/** `$LIB` is the first of the default directories: `lib/x86_64-linux-gnu` with Debian, `lib64` upstream. */
function libToken(directories: readonly string[]): string {
  return (directories[0] ?? "/lib").replace(/^\/(?:usr\/)?/, "");
}

/** `$PLATFORM` of the oldest processor. */
const platforms: Readonly<Record<string, string>> = {
  "386": "i686",
  amd64: "x86_64",
  arm: "v7l",
  arm64: "aarch64",
  loong64: "loongarch64",
  ppc64le: "power8",
  riscv64: "riscv64",
  s390x: "z900",
};
