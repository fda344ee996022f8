import { posix } from "node:path";
import { builtinModules } from "node:module";
import { scanModule, type ModuleScan } from "./module-scan.ts";

/** The rules that the sources of the packages obey. Paths are relative to the repository: `packages/core/src/elf/read.ts`. */
export interface Rules {
  /** By package: the packages of ours that it may import. */
  readonly packages: Readonly<Record<string, readonly string[]>>;
  /** By package: its areas (folders, and files beside them), and the other areas that each may import; `*`: all. */
  readonly areas: Readonly<Record<string, Readonly<Record<string, readonly string[] | "*">>>>;
  /** By third-party library: the one file that knows it, or `*`. */
  readonly libraries: Readonly<Record<string, string>>;
  /** By module of Node's (`node:http`): the folders and files that may import it. A module that is not named is free. */
  readonly builtins: Readonly<Record<string, readonly string[]>>;
  /** Modules that may do work when they are loaded. */
  readonly programs: readonly string[];
}

/** What of a package.json counts. */
export interface PackageFile {
  readonly name: string;
  readonly dependencies: readonly string[];
}

interface Module {
  readonly path: string;
  readonly folder: string;
  readonly area: string;
  readonly scan: ModuleScan;
}

/** Sentences about what is not as the rules say; none if all is well. */
export function violationsOf(
  sources: ReadonlyMap<string, string>,
  packages: ReadonlyMap<string, PackageFile>,
  rules: Rules,
): readonly string[] {
  const modules = [...sources].map(([path, source]) => moduleOf(path, source));
  return [
    ...modules.flatMap((module) => ownFaults(module, rules)),
    ...modules.flatMap((module) =>
      module.scan.imports.flatMap((to) => importFaults(module, to, packages, rules)),
    ),
    ...[...packages].flatMap(([folder, file]) => dependencyFaults(folder, file, modules, packages)),
    ...cyclesOf(modules).map((cycle) => `cycle: ${cycle.join(" -> ")}`),
  ].sort();
}

function moduleOf(path: string, source: string): Module {
  const [, folder = "", area = ""] = /^packages\/([^/]+)\/src\/([^/]+?)(?:\.ts)?(?:\/|$)/.exec(path) ?? [];
  return { path, folder, area, scan: scanModule(source) };
}

function ownFaults({ path, scan }: Module, rules: Rules): readonly string[] {
  const faults: string[] = [];
  const isProgram = rules.programs.includes(path);
  if (scan.defaultExport) faults.push(`${path} has a default export`);
  if (scan.computedImports) faults.push(`${path} imports what no reader can see`);
  if (path.endsWith("/index.ts") && !scan.onlyReExports) faults.push(`${path} does more than re-export`);
  if (scan.topLevelAwait && !isProgram) faults.push(`${path} awaits when it is loaded`);
  if (scan.environmentAtLoad) faults.push(`${path} reads process.env when it is loaded`);
  if (scan.looseStatements.length > 0 && !isProgram) {
    faults.push(`${path} does work when it is loaded: ${scan.looseStatements.join(", ")}`);
  }
  return faults;
}

function importFaults(
  module: Module,
  specifier: string,
  packages: ReadonlyMap<string, PackageFile>,
  rules: Rules,
): readonly string[] {
  const { path, folder, area } = module;
  if (specifier.startsWith(".")) {
    if (!specifier.endsWith(".ts")) return [`${path} imports ${specifier} without .ts`];
    const target = posix.join(posix.dirname(path), specifier);
    if (!target.startsWith(`packages/${folder}/src/`))
      return [`${path} reaches out of its package: ${specifier}`];
    if (target.endsWith(".test.ts")) return [`${path} imports a test`];
    const other = moduleOf(target, "").area;
    const allowed = rules.areas[folder]?.[area];
    if (allowed === undefined) return [`${path} is in an area without a rule: ${area}`];
    const isAllowed = other === area || allowed === "*" || allowed.includes(other);
    return isAllowed ? [] : [`${path} may not import ${target}`];
  }
  const name = packageNameOf(specifier);
  const ours = [...packages].find(([, file]) => file.name === name);
  if (ours !== undefined) {
    const isAllowed = rules.packages[folder]?.includes(ours[0]) === true;
    return isAllowed ? [] : [`${path} may not import ${specifier}`];
  }
  if (specifier.startsWith("node:")) {
    const allowed = rules.builtins[specifier];
    const isAllowed =
      allowed === undefined || allowed.some((place) => path === place || path.startsWith(`${place}/`));
    return isAllowed ? [] : [`${path} may not import ${specifier}`];
  }
  if (builtinModules.includes(name)) return [`${path} imports ${specifier} without node:`];
  const owner = rules.libraries[name];
  if (owner === undefined) return [`${path} imports ${name}, which is not among the libraries`];
  return owner === "*" || owner === path ? [] : [`${path} imports ${name}, which is known to ${owner} alone`];
}

function dependencyFaults(
  folder: string,
  file: PackageFile,
  modules: readonly Module[],
  packages: ReadonlyMap<string, PackageFile>,
): readonly string[] {
  const imported = new Set(
    modules
      .filter((module) => module.folder === folder)
      .flatMap((module) => module.scan.imports)
      .filter((specifier) => !specifier.startsWith(".") && !specifier.startsWith("node:"))
      .map(packageNameOf),
  );
  const own = packages.get(folder)?.name;
  return [
    ...file.dependencies
      .filter((name) => !imported.has(name))
      .map((name) => `${file.name} depends on ${name} and does not import it`),
    ...[...imported]
      .filter((name) => !file.dependencies.includes(name) && name !== own)
      .map((name) => `${file.name} imports ${name} and does not depend on it`),
  ];
}

function packageNameOf(specifier: string): string {
  const [first = "", second] = specifier.split("/");
  return first.startsWith("@") && second !== undefined ? `${first}/${second}` : first;
}

/** Each cycle once, types included, from its first path in order. */
function cyclesOf(modules: readonly Module[]): readonly (readonly string[])[] {
  const targets = new Map(
    modules.map(({ path, scan }) => [
      path,
      scan.imports
        .filter((specifier) => specifier.startsWith("."))
        .map((specifier) => posix.join(posix.dirname(path), specifier)),
    ]),
  );
  const done = new Set<string>();
  const trail: string[] = [];
  const cycles: (readonly string[])[] = [];
  const visit = (path: string): void => {
    const start = trail.indexOf(path);
    if (start !== -1) cycles.push([...trail.slice(start), path]);
    if (start !== -1 || done.has(path)) return;
    trail.push(path);
    for (const target of targets.get(path) ?? []) visit(target);
    trail.pop();
    done.add(path);
  };
  for (const path of [...targets.keys()].sort()) visit(path);
  return cycles;
}
