import { existsSync, readFileSync, realpathSync } from "node:fs";
import type { ContainerConfig } from "@undocked/registry";
import type { TarEntry, TarHeader } from "@undocked/registry/tar";
import type { Random } from "./library-layout.ts";
import { buildElf, tinyPlatforms, type TinyElf } from "./tiny-elf.ts";
import { findProgram } from "./tools.ts";
import { wrapperProgram } from "./wrapper-program.ts";

/** An image that may start or not, made from random parts. Whatever of it starts ends with 0 at once. */
export interface RandomStart {
  readonly layers: readonly (readonly TarEntry[])[];
  readonly config: ContainerConfig;
}

type Node =
  | { readonly kind: "file"; readonly content: Uint8Array | string; mode: number; uid: number; gid: number }
  | { readonly kind: "directory"; mode: number; uid: number; gid: number }
  | { readonly kind: "symlink"; readonly target: string };

type Tree = Map<string, Node>;

const glibcLoader = "/lib64/ld-linux-x86-64.so.2";
const glibcLibrary = "/lib/x86_64-linux-gnu/libc.so.6";
const muslLoader = "/lib/ld-musl-x86_64.so.1";

/** What the images are made of: the loaders of the host, and its static shell. */
export const randomStartNeeds: readonly string[] = [glibcLoader, glibcLibrary, muslLoader];

const host = new Map<string, Uint8Array>();
function fromHost(path: string): Uint8Array {
  const known = host.get(path) ?? (existsSync(path) ? readFileSync(realpathSync(path)) : new Uint8Array());
  host.set(path, known);
  return known;
}

let wrapper: Uint8Array | undefined;

/** Makes the next image of a series. */
export function randomStart(random: Random): RandomStart {
  const pick = <T>(...all: readonly [T, ...T[]]): T => all[random(all.length)] ?? all[0];
  /** Once in `n` times. */
  const once = (n: number): boolean => random(n) === 0;
  const tree: Tree = new Map();
  const merged = once(2);
  const put = (path: string, node: Node): string => {
    tree.set(path, node);
    return path;
  };
  const owner = (): { uid: number; gid: number } =>
    once(3) ? { uid: pick(0, 1000), gid: pick(0, 1000, 2000) } : { uid: 0, gid: 0 };
  const file = (path: string, content: Uint8Array | string, mode = 0o755): string =>
    put(path, { kind: "file", content, mode, uid: 0, gid: 0 });
  const usr = (path: string): string =>
    merged && /^\/(?:bin|sbin|lib|lib64)\//.test(path) ? `/usr${path}` : path;

  if (merged)
    for (const name of ["bin", "sbin", "lib", "lib64"]) {
      put(`/${name}`, { kind: "symlink", target: pick(`usr/${name}`, `/usr/${name}`) });
    }
  const shell = !once(8);
  if (shell) {
    file(usr("/bin/busybox"), fromHost(findProgram("busybox") ?? ""));
    put(usr("/bin/sh"), { kind: "symlink", target: pick("busybox", "/bin/busybox") });
    if (!once(6)) put("/usr/bin/env", { kind: "symlink", target: pick("../../bin/busybox", "/bin/busybox") });
  }
  wrapper ??= wrapperProgram();
  for (const name of ["tini", "dumb-init", "node"]) if (!once(6)) file(`/usr/bin/${name}`, wrapper);
  if (!once(5)) file(usr(glibcLoader), fromHost(glibcLoader), once(12) ? 0o644 : 0o755);
  if (!once(6)) file(usr(glibcLibrary), fromHost(glibcLibrary), once(8) ? 0o600 : 0o644);
  if (!once(5)) file(usr(muslLoader), fromHost(muslLoader));
  if (!once(4)) {
    file("/etc/passwd", "root:x:0:0:root:/:/bin/sh\napp:x:1000:1000::/:/bin/sh\nodd:x:77:2000::/:\n", 0o644);
    file("/etc/group", "root:x:0:\napp:x:1000:\nweb:x:2000:app\n", 0o644);
  }

  file("/etc/file", "", 0o644);
  const library = (libc: string): string => {
    const name = pick("liba.so", "libb.so.1");
    const path = `${pick("/usr/lib", "/lib", "/opt/lib", "/app/lib", "/usr/local/lib")}/${name}`;
    const content = pick<() => Uint8Array | string>(
      () => buildElf({ soname: name }),
      () => buildElf({ soname: name }),
      () => buildElf({ soname: name, versionDefinitions: ["A_1"] }),
      () => buildElf({ soname: name, needed: ["libz.so"] }),
      // musl looks at no machine: it is the code of such a library that fails, and this one has none.
      () =>
        buildElf({ soname: name, ...(libc === "libc.so" ? {} : { platform: tinyPlatforms["linux/arm64"] }) }),
      () => "INPUT(liba.so)\n",
    )();
    if (!once(5)) file(usr(path), content, once(8) ? 0o700 : 0o644);
    return name;
  };
  const dynamic = (): TinyElf => {
    const interpreter = pick(
      glibcLoader,
      glibcLoader,
      muslLoader,
      "/lib64/ld-none.so.1",
      "lib/ld-musl-x86_64.so.1",
    );
    const libc = interpreter.includes("musl") ? "libc.so" : "libc.so.6";
    const needed = [...(once(2) ? [library(libc)] : []), libc, ...(once(6) ? [library(libc)] : [])];
    return {
      pie: true,
      interpreter,
      needed,
      ...(once(3) ? { runpath: pick("/opt/lib", "$ORIGIN/../lib", "/app/lib:/opt/lib", "$ORIGIN") } : {}),
      ...(once(6) ? { rpath: pick("/opt/lib", "$ORIGIN/lib") } : {}),
      ...(once(5) && libc === "libc.so.6"
        ? { versionNeeds: [{ library: libc, versions: [pick("GLIBC_2.2.5", "GLIBC_9.9", "GLIBC_9.9?")] }] }
        : {}),
    };
  };
  const mode = (): number =>
    !once(4) ? 0o755 : pick(0o711, 0o700, 0o750, 0o644, 0o555, 0o001, 0o010, 0o100, 0o4755, 0o2755, 0o6711);
  const folders = [
    "/app",
    "/srv/deep",
    "/usr/local/bin",
    "/opt/app/bin",
    "/bin",
    "/usr/bin",
    "/home/app",
  ] as const;
  let made = 0;

  /** Puts a program somewhere and tells a way to it. */
  const program = (depth: number): string => {
    const name = `p${made++}`;
    const folder = pick(...folders);
    const path = usr(`${folder}/${name}`);
    const interpreter = (): string => {
      const [found, argument] = [
        once(3) && depth < 6
          ? program(depth + 1)
          : pick(
              "/bin/sh",
              "/bin/sh",
              "/usr/bin/env sh",
              "/usr/bin/env -S sh -e",
              "/bin/none",
              "/usr/bin/env none",
              "bin/sh",
              "/bin",
            ),
        pick("", "", "", " -e", " a b"),
      ];
      return `${found}${found.includes(" ") || found === "/bin/sh" ? "" : argument}`;
    };
    const content: Uint8Array | string = pick<() => Uint8Array | string>(
      () => buildElf({}),
      () => buildElf({}),
      () => buildElf({ pie: true }),
      () => buildElf(dynamic()),
      () => buildElf(dynamic()),
      () => buildElf(dynamic()),
      () =>
        buildElf({
          platform: pick(
            ...(Object.values(tinyPlatforms).slice(2) as [(typeof tinyPlatforms)["linux/arm64"]]),
          ),
        }),
      () => buildElf({ type: pick("rel", "core") }),
      () => buildElf({ type: pick(0, 5, 0xfe00) }),
      () => buildElf({}).subarray(0, pick(3, 20, 63, 64, 100)),
      () =>
        pick(
          "",
          "exit 0\n",
          "\uFEFF#!/bin/sh\n",
          "\n#!/bin/sh\nexit 0\n",
          "#!\n",
          "#! \t \n",
          "MZ\x90\0",
          "\0\0\0",
        ),
      () =>
        `#!${pick("", " ", "\t")}${interpreter()}${pick("\n", "\n", "\n", "", "\r\n", " \n", "\0\n")}${once(3) ? "" : "exit 0\n"}`,
      () => `#!${interpreter()}\n`,
      () => `#!${interpreter()}\n`,
      () =>
        `#!${pick("/", "./").repeat(pick(100, 110, 120, 125, 126, 127))}${pick("bin/sh", "/bin/sh", "bin/sh x", "n")}\nexit 0\n`,
    )();
    put(path, { kind: "file", content, mode: mode(), ...owner() });
    if (once(10))
      put(usr(folder), { kind: "directory", mode: pick(0o755, 0o700, 0o711, 0o750, 0o644), ...owner() });
    return way(`${folder}/${name}`);
  };

  /** A name of a file: its own, or a link's. */
  const way = (path: string): string => {
    const name = `/l${made++}`;
    switch (random(22)) {
      case 0:
        put(name, { kind: "symlink", target: path });
        return name;
      case 1:
        put(name, { kind: "symlink", target: pick(`.${path}`, `../..${path}`) });
        return name;
      case 2:
        put(name, { kind: "symlink", target: pick("nowhere", name, "/", ".", "") });
        return name;
      case 3: {
        const at = path.lastIndexOf("/");
        put(name, { kind: "symlink", target: path.slice(0, at) });
        return `${name}/${path.slice(at + 1)}`;
      }
      case 4:
        return pick(
          `${path}/`,
          `${path}/.`,
          `/${path}`,
          `/./${path.slice(1)}`,
          `/none/..${path}`,
          `${path}/../${path.slice(path.lastIndexOf("/") + 1)}`,
          `/usr/..${path}`,
          `/../..${path}`,
        );
      default:
        return path;
    }
  };

  const start = program(0);
  const base = start.slice(start.lastIndexOf("/") + 1);
  const argv = once(3)
    ? { Entrypoint: [start] }
    : pick<() => { Entrypoint?: string[]; Cmd?: string[] }>(
        () => ({ Entrypoint: [start] }),
        () => ({ Entrypoint: [start], Cmd: ["x"] }),
        () => ({ Cmd: [start] }),
        () => ({ Entrypoint: [base] }),
        () => ({ Entrypoint: [start.slice(1)] }),
        () => ({ Entrypoint: [`./${base}`] }),
        () => ({ Entrypoint: [`../${base}`] }),
        () => ({ Entrypoint: ["/bin/sh", "-c", start] }),
        () => ({ Entrypoint: ["/bin/sh", "-c", `exec ${start} --serve`] }),
        () => ({ Entrypoint: ["/bin/sh", "-c", `${base} a b`] }),
        () => ({ Entrypoint: ["/bin/sh", "-c"], Cmd: ["$START"] }),
        () => ({ Entrypoint: ["/bin/sh", "-c", `A=1 ${start} && true`] }),
        () => ({ Entrypoint: ["/bin/sh", start] }),
        () => ({ Entrypoint: ["/bin/sh", "-eo", "pipefail", "-c", start] }),
        () => ({ Entrypoint: ["/bin/sh", "-o", "errexit", start] }),
        () => ({ Entrypoint: [file(pick("/dev/app", "/sys/app", "/proc/app"), buildElf({}))] }),
        () => ({ Entrypoint: ["sh", "-e", start] }),
        () => ({ Entrypoint: ["env", "-i", "A=b", start] }),
        () => ({ Entrypoint: ["/usr/bin/env", base] }),
        () => ({ Entrypoint: ["/usr/bin/tini", "--", start] }),
        () => ({ Entrypoint: ["tini", "-g", base, "-x"] }),
        () => ({ Entrypoint: ["dumb-init"], Cmd: ["/bin/sh", "-c", start] }),
        () => ({ Entrypoint: ["node", start] }),
        () => ({ Entrypoint: ["/bin/busybox", "sh", "-c", `exec ${start}`] }),
        () => ({ Entrypoint: ["/bin/busybox", "timeout", "20", start] }),
        () => ({ Entrypoint: [glibcLoader, start] }),
        () => ({ Entrypoint: [muslLoader, "--", start] }),
        () => ({ Entrypoint: [muslLoader, start] }),
        () => ({ Entrypoint: [""] }),
        () => ({ Entrypoint: [pick("/", "/app", ".", "..", "/bin/", "/etc/passwd")] }),
      )();
  const workingDirectory = once(2)
    ? ""
    : pick(
        "/",
        "/app",
        "/app",
        "/srv/deep",
        "/usr/local/bin",
        "/made/by/runtime",
        "/etc/file",
        "/bin",
        "/opt/app/bin",
      );
  const path = once(2)
    ? ""
    : pick(
        "/usr/local/bin:/usr/bin:/bin:/app",
        "/srv/deep:/opt/app/bin",
        "",
        ":/bin",
        "app:bin",
        "/bin/:/app//",
      );
  const config: ContainerConfig = {
    ...argv,
    ...(workingDirectory === "" ? {} : { WorkingDir: workingDirectory }),
    User: once(2)
      ? ""
      : pick(
          "1000",
          "1000",
          "1000:0",
          "0:2000",
          "77",
          "77",
          ...(once(3) ? (["app", "app:web", "nobody", "odd", "4000:app", "app:none"] as const) : []),
        ),
    Env: [
      `PATH=${path || "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}`,
      ...(once(4) ? [`START=${pick(start, `exec ${start} -x`, base, "", "/none")}`] : []),
      ...(once(6) ? [`LD_LIBRARY_PATH=${pick("/opt/lib", ":/app/lib", "lib", "/none;/usr/local/lib")}`] : []),
      ...(once(10) ? [`LD_PRELOAD=${pick("liba.so", "/none.so", "/opt/lib/liba.so")}`] : []),
    ],
  };
  return { layers: layersOf(tree, random, usr), config };
}

/** The tree as one layer, or as two of which the upper one changes the lower one. */
function layersOf(
  tree: Tree,
  random: Random,
  usr: (path: string) => string,
): readonly (readonly TarEntry[])[] {
  const all = entriesOf(tree);
  if (random(3) > 0) return [all];
  const upper: Tree = new Map();
  for (const [path, node] of tree) if (random(4) === 0 && node.kind !== "directory") upper.set(path, node);
  const [first = ["/app", undefined]] = [...tree].filter(() => random(6) === 0);
  const change = random(5);
  const name = first[0].slice(first[0].lastIndexOf("/") + 1);
  const folder = first[0].slice(0, first[0].lastIndexOf("/"));
  const more: Tree = new Map();
  const file = (path: string): void =>
    void more.set(path, { kind: "file", content: "", mode: 0o644, uid: 0, gid: 0 });
  if (change === 0) file(`${folder}/.wh.${name}`);
  if (change === 1) file(`${usr("/opt/lib")}/.wh..wh..opq`);
  if (change === 2) {
    more.set("/lib64", { kind: "directory", mode: 0o755, uid: 0, gid: 0 });
    file("/lib64/other");
  }
  return [all, entriesOf(new Map([...upper, ...more]))];
}

function entriesOf(tree: Tree): readonly TarEntry[] {
  const whole: Tree = new Map(tree);
  for (const path of tree.keys()) {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      const parent = path.slice(0, at);
      if (!whole.has(parent)) whole.set(parent, { kind: "directory", mode: 0o755, uid: 0, gid: 0 });
    }
  }
  return [...whole]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .filter(([path]) => !isBelowOther(whole, path))
    .map(([path, node]) => entryOf(path.slice(1), node));
}

/** What lies below a file or a link is not in the tree. */
function isBelowOther(tree: Tree, path: string): boolean {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
    if (tree.get(path.slice(0, at))?.kind !== "directory") return true;
  }
  return false;
}

function entryOf(path: string, node: Node): TarEntry {
  const common = { path, mtime: 1_750_000_000, size: 0 };
  switch (node.kind) {
    case "symlink": {
      const header: TarHeader = {
        ...common,
        kind: "symlink",
        mode: 0o777,
        uid: 0,
        gid: 0,
        linkTarget: node.target,
      };
      return { header };
    }
    case "directory":
      return { header: { ...common, kind: "directory", mode: node.mode, uid: node.uid, gid: node.gid } };
    case "file": {
      const body = Buffer.from(node.content);
      const { mode, uid, gid } = node;
      return { header: { ...common, kind: "file", mode, uid, gid, size: body.byteLength }, body };
    }
  }
}
