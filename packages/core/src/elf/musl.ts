import type { Diagnostic } from "@undocked/registry";
import type { Closure, ClosureRequest, FoundBy, LoadedObject } from "./loaded-object.ts";
import {
  libraryDamage,
  libraryInvalid,
  libraryNotFound,
  symbolProblems,
  type PassedOver,
} from "./library-problems.ts";
import { absolute, directoryOf, probeCounter, type LibraryRoot, type RootFile } from "./library-root.ts";

interface Loaded extends LoadedObject {
  /** The name by which later needs find it; only of what was searched for. */
  shortName?: string;
  readonly loader?: Loaded;
  readonly origin: string;
}

const pathFileLimit = 1 << 16;
// What is musl's libc under any of these names (ldso/dynlink.c, load_library).
const reserved = /^lib(?:c|pthread|rt|m|dl|util|xnet)\./;
const defaultPath = "/lib:/usr/local/lib:/usr/lib";

/**
 * musl's loader: breadth-first; LD_LIBRARY_PATH, RUNPATH or RPATH of the object and of all that led to it, and the path file (ldso/dynlink.c,
 * `load_library`). It checks no versions; the first file of a name that may be opened is taken, whatever it is.
 */
export async function muslClosure(root: LibraryRoot, request: ClosureRequest): Promise<Closure> {
  const { program, interpreter, options } = request;
  const { workingDirectory = "/", secure = false } = options;
  const libraryPath = secure ? "" : (options.libraryPath ?? "");
  const preload = secure ? "" : (options.preload ?? "");
  const problems: Diagnostic[] = [];
  const self: Loaded = {
    name: interpreter.path,
    path: interpreter.path,
    file: interpreter.file,
    elf: interpreter.elf,
    foundBy: "interpreter",
    shortName: interpreter.path.slice(interpreter.path.lastIndexOf("/") + 1),
    origin: directoryOf(interpreter.path),
  };
  const main: Loaded = {
    name: program.path,
    path: program.path,
    file: program.file,
    elf: program.elf,
    foundBy: "program",
    origin: directoryOf(program.file.path),
  };
  const objects: Loaded[] = [main];
  const systemPath = await readSystemPath(root, interpreter);

  const probe = probeCounter();
  /** What was passed over in the search that goes on. */
  let passedOver: PassedOver | undefined;
  const open = (path: string): RootFile | undefined => {
    probe();
    const file = root.resolve(absolute(path, workingDirectory));
    if (file?.closed === undefined) return file;
    passedOver ??= { path, closed: file.closed };
    return undefined;
  };
  const inPath = (name: string, path: string): readonly [string, RootFile] | undefined => {
    for (const directory of path.split(/[:\n]/).filter((part) => part !== "")) {
      const candidate = `${directory.replace(/\/$/, "")}/${name}`;
      const file = open(candidate);
      if (file !== undefined) return [candidate, file];
    }
    return undefined;
  };
  const search = (
    name: string,
    needing: Loaded,
  ): readonly [path: string, file: RootFile, by: FoundBy] | undefined => {
    const fromEnvironment = inPath(name, libraryPath);
    if (fromEnvironment !== undefined) return [...fromEnvironment, "environment"];
    for (let object: Loaded | undefined = needing; object !== undefined; object = object.loader) {
      const path = runPath(object);
      // Where a program that gains rights lies is said by whoever starts it.
      const isBelieved = !(secure && object === main && hasToken(object));
      const found = isBelieved ? inPath(name, path) : undefined;
      if (found !== undefined) return [...found, object.elf.runpath === undefined ? "rpath" : "runpath"];
    }
    const byDefault = inPath(name, systemPath);
    return byDefault === undefined ? undefined : [...byDefault, "default"];
  };

  const load = async (name: string, needing: Loaded): Promise<void> => {
    probe();
    if (reserved.test(name) || name === interpreter.path || name === self.shortName) {
      if (!objects.includes(self)) objects.push(self);
      return;
    }
    const isPath = name.includes("/");
    if (!isPath && objects.some(({ shortName }) => shortName === name)) return;
    passedOver = undefined;
    const direct = isPath ? open(name) : undefined;
    const result = isPath
      ? direct === undefined
        ? undefined
        : ([name, direct, "path"] as const)
      : search(name, needing);
    if (result === undefined) {
      problems.push(libraryNotFound(name, needing.path, passedOver));
      return;
    }
    const [path, file, foundBy] = result;
    const short = isPath ? {} : { shortName: name };
    const same = objects.find((object) => (object.file.id ?? object.file.path) === (file.id ?? file.path));
    if (same !== undefined) {
      if (!isPath) same.shortName ??= same.path.slice(same.path.lastIndexOf("/") + 1);
      return;
    }
    const elf = file.kind === "file" ? await root.elf(file) : undefined;
    const isLibrary =
      elf?.type === "dyn" && elf.machine === program.elf.machine && elf.class === program.elf.class;
    if (elf === undefined || !isLibrary) {
      problems.push(libraryInvalid(path, needing.path, "is no library for the program's machine"));
      return;
    }
    const damage = libraryDamage(elf);
    if (damage !== undefined) {
      problems.push(libraryInvalid(path, needing.path, damage));
      return;
    }
    const origin = directoryOf(path);
    objects.push({
      name,
      path,
      file,
      elf,
      neededBy: needing.path,
      foundBy,
      loader: needing,
      origin,
      ...short,
    });
  };

  for (const name of preload.split(/[\s:]+/).filter((part) => part !== "")) {
    await load(name, main);
    // What cannot be preloaded is passed over in silence; we tell it.
    for (const [n, problem] of problems.entries()) problems[n] = { ...problem, severity: "warning" };
  }
  for (let n = 0; n < objects.length; n++) {
    const object = objects[n];
    if (object === undefined || object === self) continue;
    for (const name of object.elf.needed) await load(name, object);
  }
  if (!objects.includes(self)) objects.push(self);
  if (problems.every(({ severity }) => severity === "warning")) problems.push(...symbolProblems(objects));
  return { loader: "musl", objects: objects.map(publicObject), problems };
}

function publicObject({ name, path, file, elf, neededBy, foundBy }: Loaded): LoadedObject {
  return { name, path, file, elf, ...(neededBy === undefined ? {} : { neededBy }), foundBy };
}

function hasToken({ elf }: Loaded): boolean {
  return (elf.runpath ?? elf.rpath ?? "").includes("$");
}

/** RUNPATH, or else RPATH; one with a token that musl does not know is dropped as a whole. */
function runPath({ elf, origin }: Loaded): string {
  const path = elf.runpath ?? elf.rpath ?? "";
  const isKnown = !path.replace(/\$(?:ORIGIN|\{ORIGIN\})/g, "").includes("$");
  return isKnown ? path.replace(/\$(?:ORIGIN|\{ORIGIN\})/g, () => origin) : "";
}

async function readSystemPath(
  root: LibraryRoot,
  { path, elf }: ClosureRequest["interpreter"],
): Promise<string> {
  if (elf.loader?.kind !== "musl") return defaultPath;
  // A loader in /opt/lib has its path file in /opt/etc.
  const prefix = path.startsWith("/") ? path.split("/").slice(0, -2).join("/") : "";
  const file = root.resolve(prefix + elf.loader.pathFile);
  if (file === undefined) return defaultPath;
  const isRead = file.kind === "file" && file.closed === undefined;
  const bytes = isRead ? await root.read(file, pathFileLimit) : undefined;
  return bytes === undefined ? "" : (Buffer.from(bytes).toString().split("\0")[0] ?? "");
}
