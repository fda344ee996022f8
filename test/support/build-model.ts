import {
  chmodSync,
  copyFileSync,
  cpSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { BuildOptions } from "@undocked/core";
import type { Random } from "./library-layout.ts";

/** A context, a Dockerfile and a cache that change as people change them. */
export interface World {
  readonly random: Random;
  readonly directory: string;
  context: string;
  readonly cache: string;
  /** References that FROM may name. */
  readonly bases: readonly string[];
  lines: string[];
  options: BuildOptions;
}

const names = [
  "a",
  "a1",
  "b.txt",
  "c d",
  "ü.js",
  "x\\y",
  "new\nline",
  "[br]",
  "dir",
  "dir2",
  ".hidden",
  "-d",
];
const contents = ["aaaa", "bbbb", "cccc", "", "#!/bin/sh\n", "longer\n".repeat(99)];
const times = [1, 50, 1_000_000_000, 1_900_000_000];
const ignored = ["*.txt", "a*", "!a1", "dir", "!dir/a", "**/b.txt", "!**/a", "dir2/*", "*", "!*.js"];
const sources = ["*", "a*", "*.txt", "d*/*", "dir", "?", ".", "dir/*", "missing", "dir/missing", "a"];

export function makeWorld(directory: string, bases: readonly string[], random: Random): World {
  const context = join(directory, "context");
  mkdirSync(join(context, "dir"), { recursive: true });
  mkdirSync(join(directory, "project/sub"), { recursive: true });
  for (const name of ["one", "sub/two"]) writeFileSync(join(directory, "project", name), name);
  const cache = join(directory, "cache");
  const world: World = { random, directory, context, cache, bases, lines: [], options: {} };
  writeFileSync(join(context, "a"), "aaaa");
  for (let count = 4 + random(8); count > 0; count--) addNode(world);
  describe(world);
  return world;
}

/** What the build of a world is asked. */
export function askedOf({ context, directory, lines, options }: World): BuildOptions {
  const project = options.files === undefined ? {} : { project: join(directory, "project") };
  return { ...options, ...project, context, dockerfile: { text: `${lines.join("\n")}\n` } };
}

/** A Dockerfile and options. */
function describe(world: World): void {
  const { random } = world;
  const stages = 1 + random(2);
  world.lines = ["ARG X=0"];
  for (let stage = 0; stage < stages; stage++) {
    const from = once(world, 4) ? "scratch" : pick(world, world.bases);
    world.lines.push(`FROM ${stage > 0 && once(world, 2) ? "s0" : from} AS s${stage}`);
    for (let count = 1 + random(3); count > 0; count--) world.lines.push(line(world));
    if (stage > 0) world.lines.push("COPY --from=s0 /app* /from/");
  }
  world.options = { executables: "any", preflight: "off" };
  for (let count = random(4); count > 0; count--) changeOption(world);
}

function line(world: World): string {
  const flags = ["", "", "--chmod=750", "--chown=1:2", "--link", "--exclude=*.txt", "--parents"];
  const copy = `${once(world, 6) ? "ADD" : "COPY"} ${pick(world, flags)}`;
  const others = ["ARG X", "ENV Y=$X", "WORKDIR /w", "LABEL l=$X", "COPY <<E /here\n$X\nE", "ARG X=7"];
  if (once(world, 4)) return pick(world, others);
  return `${copy} ${JSON.stringify([pick(world, sources.slice(0, 7)), pick(world, ["/app/", "/app/x/", "/"])])}`;
}

function changeOption(world: World): void {
  const { random, options } = world;
  const choices: readonly BuildOptions[] = [
    { sourceDateEpoch: pick(world, times) },
    { timestamps: pick(world, ["epoch", "preserve"] as const) },
    { compression: pick(world, ["none", "gzip"] as const) },
    { buildArgs: { X: String(random(2)) } },
    { labels: { label: String(random(2)) } },
    { platforms: pick(world, [["linux/amd64"], ["linux/amd64", "linux/arm64"]]) },
    { files: [{ from: pick(world, ["one", "sub"]), to: pick(world, ["dir/mapped", "mapped"]) }] },
    { target: "s0" },
  ];
  world.options = { ...options, ...pick(world, choices) };
}

/** Does one thing that people, their tools or an unlucky disk do. What cannot be done here is left. */
export function change(world: World): string {
  const [name, act] = pick(world, Object.entries(changes));
  try {
    act(world);
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
  }
  return name;
}

const changes: Readonly<Record<string, (world: World) => void>> = {
  "a new node": addNode,
  "another content of that size and time": (world) => rewriteAlike(somePath(world)),
  "another content": (world) => writeFileSync(somePath(world), pick(world, contents)),
  "another mode": (world) => chmodSync(somePath(world), pick(world, [0o644, 0o755, 0o700, 0o4755])),
  "another time": (world) => lutimesSync(somePath(world), 1, pick(world, times)),
  "a node that goes": (world) => rmSync(somePath(world), { recursive: true }),
  "another name": (world) => {
    const path = somePath(world);
    renameSync(path, join(dirname(path), pick(world, names)));
  },
  "two names exchanged": (world) => {
    const [one, other] = [somePath(world), somePath(world)];
    const beside = join(world.directory, "beside");
    if (one.startsWith(other) || other.startsWith(one)) return;
    for (const [from, to] of [
      [one, beside],
      [other, one],
      [beside, other],
    ] as const)
      renameSync(from, to);
  },
  "a link in place of a node, to where it is now": (world) => {
    const path = somePath(world);
    renameSync(path, `${path}_`);
    symlinkSync(`${basename(path)}_`, path);
  },
  "a copy in place of a directory": (world) => {
    const path = somePath(world);
    cpSync(path, `${path}_`, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    rmSync(path, { recursive: true });
    renameSync(`${path}_`, path);
  },
  "a file in place of a node": (world) => {
    const path = somePath(world);
    rmSync(path, { recursive: true });
    writeFileSync(path, "aaaa");
  },
  "one more name of a file": (world) => linkSync(somePath(world), join(world.context, pick(world, names))),
  "what was missing": (world) => writeFileSync(join(world.context, pick(world, ["missing", "dir/a"])), ""),
  "another ignore file": (world) =>
    writeFileSync(join(world.context, ".dockerignore"), `${pick(world, ignored)}\n${pick(world, ignored)}\n`),
  "no ignore file": (world) => rmSync(join(world.context, ".dockerignore")),
  "a mapped file": (world) => writeFileSync(join(world.directory, "project/sub/two"), pick(world, contents)),
  "another option": changeOption,
  "another line": (world) => {
    const at = 2 + world.random(world.lines.length - 1);
    world.lines = world.lines.toSpliced(at, 0, line(world));
  },
  "another place of the context": (world) => moveContext(world, renameSync),
  "a link to the context": (world) => moveContext(world, symlinkSync),
  "a part of the cache that goes": (world) =>
    rmSync(join(world.cache, pick(world, ["content", "recipes", "indexes", "references"])), {
      recursive: true,
    }),
  "a damaged file of the cache": (world) => truncateSync(someFile(world, world.cache), 70),
  "a file of the cache in place of another": (world) =>
    copyFileSync(someFile(world, world.cache), someFile(world, world.cache)),
};

/** Another directory, with other contents of the same sizes and times, takes the context's place; gives what undoes that. */
export function swapContext({ directory, context }: World): () => void {
  const other = join(directory, "other");
  const kept = join(directory, "kept");
  rmSync(other, { recursive: true, force: true });
  cpSync(context, other, {
    recursive: true,
    dereference: false,
    verbatimSymlinks: true,
    preserveTimestamps: true,
  });
  for (const path of pathsBelow(other)) if (lstatSync(path).isFile()) rewriteAlike(path);
  renameSync(context, kept);
  renameSync(other, context);
  return () => {
    renameSync(context, other);
    renameSync(kept, context);
  };
}

function addNode(world: World): void {
  const place = once(world, 3) ? join(world.context, "dir") : world.context;
  const path = join(place, pick(world, names));
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return;
  const kind = world.random(6);
  if (kind < 3) writeFileSync(path, pick(world, contents), { mode: pick(world, [0o644, 0o755]) });
  else if (kind < 4) mkdirSync(path);
  else symlinkSync(pick(world, [...names, "/a", "../a", "nowhere", "."]), path);
  if (once(world, 3)) lutimesSync(path, 1, pick(world, times));
}

function moveContext(world: World, move: (from: string, to: string) => void): void {
  const place = join(world.directory, `context-${world.random(1_000_000)}`);
  move(world.context, place);
  world.context = place;
}

function rewriteAlike(path: string): void {
  const { mtime } = lstatSync(path);
  writeFileSync(
    path,
    readFileSync(path).map((byte) => byte ^ 1),
  );
  utimesSync(path, mtime, mtime);
}

function somePath(world: World): string {
  return pick(world, pathsBelow(world.context));
}

function someFile(world: World, directory: string): string {
  return pick(
    world,
    pathsBelow(directory).filter((path) => lstatSync(path).isFile()),
  );
}

function pathsBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      return entry.isDirectory() ? [path, ...pathsBelow(path)] : [path];
    });
}

function pick<T>({ random }: World, list: readonly T[]): T {
  const picked = list[random(list.length)];
  if (picked === undefined) throw Object.assign(new Error("there is none"), { code: "NONE" });
  return picked;
}

/** Once in `n` times. */
function once({ random }: World, n: number): boolean {
  return random(n) === 0;
}
