import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildElf, tinyPlatforms, type TinyElf } from "./tiny-elf.ts";

/** Numbers that are the same everywhere. */
export type Random = (below: number) => number;

/** xorshift32. */
export function randomFrom(seed: number): Random {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** A root with a program at `/app/bin/program` and libraries here and there, some of them not as they should be. */
export interface LibraryLayout {
  readonly libraryPath: string;
  /** Files that were there when ldconfig ran and are no longer. */
  readonly stale: readonly string[];
}

const names = ["liba.so.1", "libb.so.1", "libx.so", "libd.so.2", "libe.so.3", "libf.so"];
const directories = [
  "/lib/x86_64-linux-gnu",
  "/usr/lib",
  "/lib",
  "/usr/local/lib",
  "/opt/a",
  "/opt/b",
  "/app/lib",
  "/srv/x86_64-linux-gnu",
];
const searched = [
  "/opt/a",
  "/opt/b",
  "$ORIGIN",
  "$ORIGIN/../lib",
  "${ORIGIN}/../../opt/b",
  "/srv",
  "/opt/missing",
  "lib",
  "/opt/link",
];

/** Empties a directory and fills it. */
export function writeLayout(
  root: string,
  random: Random,
  loader: { readonly from: string; readonly to: string },
): LibraryLayout {
  rmSync(root, { recursive: true, force: true });
  const write = (path: string, content: Uint8Array | string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    // Never through a link: an absolute one would lead out of the root.
    rmSync(join(root, path), { force: true });
    writeFileSync(join(root, path), content, { mode: 0o755 });
  };
  mkdirSync(join(root, dirname(loader.to)), { recursive: true });
  mkdirSync(join(root, "etc"), { recursive: true });
  cpSync(loader.from, join(root, loader.to), { dereference: true });
  for (const directory of directories) mkdirSync(join(root, directory), { recursive: true });
  symlinkSync("/opt/b", join(root, "opt/link"));

  const stale: string[] = [];
  for (const name of names) {
    for (let copies = random(4); copies > 0; copies--) {
      const directory = pick(directories, random);
      const path = `${directory}/${name}`;
      const dice = random(20);
      if (dice === 0) write(path, "no ELF file\n".repeat(20));
      else if (dice <= 2)
        write(path, buildElf({ ...library(name, random), platform: tinyPlatforms["linux/386"] }));
      else if (dice === 3)
        write(path, buildElf({ ...library(name, random), platform: tinyPlatforms["linux/arm64"] }));
      else write(path, buildElf(library(name, random)));
      if (dice === 4 && directory !== "/opt/a") link(root, `/opt/a/${name}`, path);
      if (dice === 5) stale.push(path);
    }
  }
  write("/app/bin/program", buildElf({ ...linked(random, 1), pie: true, interpreter: loader.to }));
  write("/etc/ld.so.conf", "/opt/a\n/opt/b\n/srv/x86_64-linux-gnu\n");
  const libraryPath = random(3) > 0 ? "" : some(searched, random, 2).join(pick([":", ":"], random));
  return { libraryPath: libraryPath.includes("$") ? "/opt/b" : libraryPath, stale };
}

function library(name: string, random: Random): TinyElf {
  const dice = random(6);
  const soname = dice === 0 ? undefined : dice === 1 ? pick(names, random) : name;
  return {
    ...linked(random, 0),
    type: "dyn",
    dynamic: true,
    entry: 0,
    ...(soname === undefined ? {} : { soname }),
    ...(random(3) === 0 ? {} : { versionDefinitions: some(["V_1", "V_2", "V_3"], random, 1) }),
  };
}

function linked(random: Random, least: number): TinyElf {
  const needed = some(names, random, least);
  const versionNeeds = needed
    .filter(() => random(3) === 0)
    .map((name) => ({ library: name, versions: some(["V_1", "V_2?", "V_3"], random, 1) }));
  const dice = random(4);
  return {
    needed,
    ...(dice === 0 || dice === 3 ? { rpath: some(searched, random, 1).join(":") } : {}),
    ...(dice === 1 || dice === 3 ? { runpath: some(searched, random, 1).join(":") } : {}),
    ...(random(8) === 0 ? { flags1: 0x800 } : {}),
    ...(versionNeeds.length === 0 ? {} : { versionNeeds }),
  };
}

function link(root: string, from: string, to: string): void {
  rmSync(join(root, from), { force: true });
  symlinkSync(to, join(root, from));
}

function pick<T>(values: readonly T[], random: Random): T {
  const value = values[random(values.length)];
  if (value === undefined) throw new Error("Nothing to pick from.");
  return value;
}

/** At least that many, in any order, none twice. */
function some<T>(values: readonly T[], random: Random, least: number): readonly T[] {
  const count = Math.min(values.length, least + random(3));
  const left = [...values];
  return Array.from({ length: count }, () => left.splice(random(left.length), 1)).flat();
}
