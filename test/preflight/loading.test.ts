import { describe, expect, test } from "vitest";
import { checkImage } from "@undocked/core";
import type { ContainerConfig } from "@undocked/registry";
import type { TarEntry } from "@undocked/registry/tar";
import { directory, file, link } from "../support/bases.ts";
import { makeImage } from "../support/make-image.ts";
import { buildElf, type TinyElf } from "../support/tiny-elf.ts";

/* What changes which libraries a loader takes: rights that a program gains, lists of preloads, stand-ins, newer processors. */

const glibc = "/lib64/ld-linux-x86-64.so.2";
const musl = "/lib/ld-musl-x86_64.so.1";
const library = (path: string, elf: TinyElf = {}): TarEntry =>
  file(path, buildElf({ soname: path.slice(path.lastIndexOf("/") + 1), ...elf }));
const loaders: readonly TarEntry[] = [
  file(
    glibc.slice(1),
    buildElf({ soname: "ld-linux-x86-64.so.2", data: Buffer.from("/lib64/\0/usr/lib64/\0\0") }),
    0o755,
  ),
  file(
    musl.slice(1),
    buildElf({ soname: "libc.so", entry: 0x40, data: Buffer.from("/etc/ld-musl-x86_64.path\0") }),
    0o755,
  ),
];
const program = (interpreter: string, elf: TinyElf, more: Partial<TarEntry["header"]> = {}): TarEntry => {
  const made = file("app", buildElf({ pie: true, interpreter, ...elf }), 0o755);
  return { ...made, header: { ...made.header, ...more } };
};

async function found(entries: readonly TarEntry[], config: ContainerConfig = {}): Promise<readonly string[]> {
  const image = await makeImage({
    layers: [[...loaders, ...entries]],
    config: { Entrypoint: ["/app"], ...config },
  });
  const [checked] = await checkImage(image.root, image.store);
  return (checked?.proof.findings ?? []).map(({ severity, code }) => `${severity} ${code}`);
}

describe.each([
  ["glibc", glibc],
  ["musl", musl],
])("a program that gains rights, with %s", (_, interpreter) => {
  const setUser = { mode: 0o4755, uid: 7 };
  const away = library("opt/lib/liba.so");
  const env = { Env: ["LD_LIBRARY_PATH=/opt/lib"] };
  const needed = ["liba.so"];

  test("is not told by LD_LIBRARY_PATH where its libraries are", async () => {
    expect(await found([program(interpreter, { needed }), away], env)).toEqual([]);
    expect(await found([program(interpreter, { needed }, setUser), away], env)).toEqual([
      "error LIBRARY_MISSING",
    ]);
  });

  test("is started by its own owner as any other", async () => {
    expect(await found([program(interpreter, { needed }, setUser), away], { ...env, User: "7" })).toEqual([]);
  });

  test("gains them by its group or by capabilities too", async () => {
    const setGroup = { mode: 0o2755, gid: 7 };
    expect(await found([program(interpreter, { needed }, setGroup), away], env)).toEqual([
      "error LIBRARY_MISSING",
    ]);
    const capable = { xattrs: { "security.capability": Uint8Array.of(1) } };
    expect(await found([program(interpreter, { needed }, capable), away], { ...env, User: "7" })).toEqual([
      "error LIBRARY_MISSING",
    ]);
    expect(await found([program(interpreter, { needed }, capable), away], env)).toEqual([]);
  });

  test("takes no $ORIGIN that leads out of the default directories", async () => {
    const elf = { needed, runpath: "$ORIGIN/opt/lib" };
    expect(await found([program(interpreter, elf), away])).toEqual([]);
    expect(await found([program(interpreter, elf, setUser), away])).toEqual(["error LIBRARY_MISSING"]);
    expect(await found([program(interpreter, { needed, runpath: "/opt/lib" }, setUser), away])).toEqual([]);
  });

  test("reads its libraries as the user that it becomes", async () => {
    const own = library("usr/lib/liba.so");
    const closed = { ...own, header: { ...own.header, mode: 0o600 } };
    const rpath = { needed, rpath: "/usr/lib" };
    expect(await found([program(interpreter, rpath), closed])).toEqual([]);
    expect(await found([program(interpreter, rpath, setUser), closed])).toEqual(["error LIBRARY_UNREADABLE"]);
  });
});

describe.each([
  ["glibc", glibc],
  ["musl", musl],
])("a library that the user may not read, with %s", (_, interpreter) => {
  const needed = ["liba.so"];
  const user = { User: "1000" };
  const root = directory("root", 0o700);
  const closed = [root, library("root/lib/liba.so")];
  const closedFile = { ...library("srv/liba.so"), header: { ...library("srv/liba.so").header, mode: 0o600 } };
  const reserve = library(interpreter === glibc ? "usr/lib64/liba.so" : "usr/lib/liba.so");

  test.each([
    ["RPATH", { rpath: "/root/lib" }, []],
    ["RUNPATH", { runpath: "/root/lib" }, []],
    ["LD_LIBRARY_PATH", {}, ["LD_LIBRARY_PATH=/root/lib"]],
  ])("is passed over for one that comes later than %s", async (_name, elf, Env) => {
    const app = program(interpreter, { needed, ...elf });
    expect(await found([app, ...closed, reserve], { ...user, Env })).toEqual([]);
    expect(await found([app, ...closed], { ...user, Env })).toEqual(["error LIBRARY_UNREADABLE"]);
    expect(await found([app, root, reserve], { ...user, Env })).toEqual([]);
    expect(await found([app, root], { ...user, Env })).toEqual(["error LIBRARY_MISSING"]);
    expect(await found([app, ...closed], { Env })).toEqual([]);
  });

  test("is passed over by its own mode too", async () => {
    const app = program(interpreter, { needed, rpath: "/srv" });
    expect(await found([app, closedFile, reserve], user)).toEqual([]);
    expect(await found([app, closedFile], user)).toEqual(["error LIBRARY_UNREADABLE"]);
  });

  test("may be no library at all", async () => {
    const app = program(interpreter, { needed, runpath: "/root/lib" });
    const text = file("root/lib/liba.so", "text", 0o644);
    expect(await found([app, root, text, reserve], user)).toEqual([]);
    expect(await found([app, root, text, reserve])).toEqual(["error LIBRARY_INVALID"]);
  });

  test("stops the start where its path is given, and not where it is preloaded", async () => {
    const named = program(interpreter, { needed: ["/root/lib/liba.so"] });
    expect(await found([named, ...closed, reserve], user)).toEqual(["error LIBRARY_UNREADABLE"]);
    const env = { ...user, Env: ["LD_PRELOAD=/root/lib/liba.so"] };
    expect(await found([program(interpreter, {}), ...closed], env)).toEqual(["warning LIBRARY_UNREADABLE"]);
  });
});

test("lists that the user may not read are none to glibc, and an empty one to musl", async () => {
  const closed = (path: string, text: string): TarEntry => file(path, text, 0o600);
  const preload = [program(glibc, {}), closed("etc/ld.so.preload", "/none.so\n")];
  expect(await found(preload)).toEqual(["warning LIBRARY_MISSING"]);
  expect(await found(preload, { User: "1000" })).toEqual([]);
  const path = [
    program(musl, { needed: ["liba.so"] }),
    closed("etc/ld-musl-x86_64.path", "/lib\n"),
    library("lib/liba.so"),
  ];
  expect(await found(path)).toEqual([]);
  expect(await found(path, { User: "1000" })).toEqual(["error LIBRARY_MISSING"]);
});

test("with glibc, $ORIGIN that leads to a default directory is believed", async () => {
  const elf = { needed: ["liba.so"], runpath: "$ORIGIN/lib64/../lib64/sub" };
  const setUser = { mode: 0o4755, uid: 7 };
  expect(await found([program(glibc, elf, setUser), library("lib64/sub/liba.so")])).toEqual([]);
});

describe("preloads", () => {
  test("that are missing are told and stop nothing", async () => {
    const env = { Env: ["LD_PRELOAD=none.so"] };
    expect(await found([program(glibc, {})], env)).toEqual(["warning LIBRARY_MISSING"]);
    expect(await found([program(musl, {})], env)).toEqual(["warning LIBRARY_MISSING"]);
  });

  test("of /etc/ld.so.preload are loaded by glibc, with all that they need", async () => {
    const list = file("etc/ld.so.preload", "# ours\n/opt/liba.so  libnone.so:libb.so # and more\n");
    const entries = [list, library("opt/liba.so"), library("lib64/libb.so", { needed: ["libz.so"] })];
    expect(await found([program(glibc, {}), ...entries])).toEqual([
      "warning LIBRARY_MISSING",
      "error LIBRARY_MISSING",
    ]);
    expect(await found([program(musl, {}), ...entries])).toEqual([]);
  });
});

test("a library that a stand-in replaces is asked for it by glibc alone", async () => {
  const needed = ["liba.so"];
  const filtered = library("lib64/liba.so", { filters: ["libb.so"] });
  const helped = library("lib64/liba.so", { auxiliaries: ["libb.so"] });
  expect(await found([program(glibc, { needed }), filtered])).toEqual(["error LIBRARY_MISSING"]);
  expect(await found([program(glibc, { needed }), filtered, library("lib64/libb.so")])).toEqual([]);
  expect(await found([program(glibc, { needed }), helped])).toEqual([]);
  expect(await found([program(musl, { needed, rpath: "/lib64" }), filtered])).toEqual([]);
});

test("a library for newer processors that lacks something is a warning", async () => {
  const needed = ["liba.so"];
  const plain = library("lib64/liba.so");
  const newer = library("lib64/glibc-hwcaps/x86-64-v3/liba.so", { needed: ["libz.so"] });
  expect(await found([program(glibc, { needed }), plain, newer])).toEqual(["warning LIBRARY_MISSING"]);
  expect(await found([program(glibc, { needed }), plain, newer, library("lib64/libz.so")])).toEqual([]);
  expect(await found([program(glibc, { needed }), newer])).toEqual([
    "error LIBRARY_MISSING",
    "warning LIBRARY_MISSING",
  ]);
});

test("a static program that looks up hosts with glibc's libraries is warned of, and a shell is not", async () => {
  const bytes = buildElf({ data: Buffer.from("libnss_%s.so\0") });
  expect(await found([file("app", bytes, 0o755)])).toEqual(["warning EXECUTABLE_OPENS_LIBRARIES"]);
  const shell = [file("bin/busybox", bytes, 0o755), file("app", "#!/bin/busybox sh\n", 0o755)];
  expect(await found([directory("bin"), ...shell])).toEqual([]);
});

test("BusyBox's env may have in itself what PATH has not, and of others it has nothing", async () => {
  const busybox = [file("bin/busybox", buildElf({}), 0o755), link("usr/bin/env", "/bin/busybox")];
  const start = (program: string) =>
    found([directory("bin"), ...busybox, file("app", `#!/usr/bin/env ${program}\n`, 0o755)]);
  expect(await start("sh")).toEqual(["warning SCRIPT_INTERPRETER_MISSING"]);
  expect(await start("python3")).toEqual(["error SCRIPT_INTERPRETER_MISSING"]);
});
