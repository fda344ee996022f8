import { describe, expect, test } from "vitest";
import { buildElf, tinyPlatforms, type TinyElf } from "../../../../test/support/tiny-elf.ts";
import { bytesSource } from "./byte-source.ts";
import { closureOf } from "./closure.ts";
import { readElf } from "./elf.ts";
import type { LibraryRoot } from "./library-root.ts";
import type { Closure, ClosureOptions } from "./loaded-object.ts";

type Files = Readonly<Record<string, TinyElf | string | undefined>>;

const glibcPath = "/lib64/ld-linux-x86-64.so.2";
const muslPath = "/lib/ld-musl-x86_64.so.1";
const glibc: TinyElf = {
  soname: "ld-linux-x86-64.so.2",
  entry: 64,
  data: Buffer.from("\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0"),
  versionDefinitions: ["GLIBC_2.2.5"],
};
const musl: TinyElf = { type: "dyn", dynamic: true, data: Buffer.from("/etc/ld-musl-x86_64.path\0") };
const libc: TinyElf = {
  soname: "libc.so.6",
  needed: ["ld-linux-x86-64.so.2"],
  versionDefinitions: ["GLIBC_2.2.5", "GLIBC_2.9", "GLIBC_2.36"],
};
const app: TinyElf = {
  pie: true,
  interpreter: glibcPath,
  needed: ["libx.so.1", "libc.so.6"],
  versionNeeds: [{ library: "libc.so.6", versions: ["GLIBC_2.36", "GLIBC_2.99?"] }],
};
const working: Files = {
  "/app": app,
  [glibcPath]: glibc,
  "/lib/x86_64-linux-gnu/libc.so.6": libc,
  "/usr/lib/libx.so.1": { soname: "libx.so.1", needed: ["libc.so.6"] },
};

describe("a program with all it needs", () => {
  test("has every object once, in the loader's order, with how it was found", async () => {
    const { loader, objects, problems } = await closure(working);
    expect(loader).toBe("glibc");
    expect(objects.map(({ path, foundBy, neededBy }) => [path, foundBy, neededBy])).toEqual([
      ["/app", "program", undefined],
      ["/usr/lib/libx.so.1", "default", "/app"],
      ["/lib/x86_64-linux-gnu/libc.so.6", "default", "/app"],
      [glibcPath, "interpreter", undefined],
    ]);
    expect(problems.map(({ severity, message }) => [severity, message])).toEqual([
      ["warning", "/app needs GLIBC_2.99 of /lib/x86_64-linux-gnu/libc.so.6, which has GLIBC_2.36 at most."],
    ]);
  });

  test("a static program needs nothing", async () => {
    expect(await closure({ "/app": {} })).toEqual({ loader: "none", objects: [], problems: [] });
  });
});

describe("what is wrong is told", () => {
  test.each<[name: string, change: Files, code: string, words: string]>([
    ["no program", { "/app": undefined }, "PROGRAM_MISSING", "/app"],
    ["no interpreter", { [glibcPath]: undefined }, "INTERPRETER_MISSING", glibcPath],
    ["an interpreter that is text", { [glibcPath]: "text" }, "INTERPRETER_INVALID", glibcPath],
    [
      "an interpreter for another machine",
      { [glibcPath]: { ...glibc, platform: tinyPlatforms["linux/arm64"] } },
      "INTERPRETER_INVALID",
      glibcPath,
    ],
    [
      "a library that is gone",
      { "/usr/lib/libx.so.1": undefined },
      "LIBRARY_MISSING",
      "/app needs libx.so.1",
    ],
    [
      "a library that is renamed",
      { "/usr/lib/libx.so.1": undefined, "/usr/lib/libx.so": { soname: "libx.so.1" } },
      "LIBRARY_MISSING",
      "libx.so.1",
    ],
    [
      "a library for another machine",
      { "/usr/lib/libx.so.1": { soname: "libx.so.1", platform: tinyPlatforms["linux/arm64"] } },
      "LIBRARY_MISSING",
      "libx.so.1",
    ],
    ["a library that is text", { "/usr/lib/libx.so.1": "text" }, "LIBRARY_INVALID", "/usr/lib/libx.so.1"],
    [
      "a library that is a program",
      { "/usr/lib/libx.so.1": { pie: true } },
      "LIBRARY_INVALID",
      "is a program",
    ],
    [
      "a library that is an object file",
      { "/usr/lib/libx.so.1": { type: "rel" } },
      "LIBRARY_INVALID",
      "no library",
    ],
    [
      "an older library",
      { "/lib/x86_64-linux-gnu/libc.so.6": { ...libc, versionDefinitions: ["GLIBC_2.4", "GLIBC_2.31"] } },
      "LIBRARY_VERSION_MISSING",
      "/app needs GLIBC_2.36 of /lib/x86_64-linux-gnu/libc.so.6, which has GLIBC_2.31 at most",
    ],
  ])("%s", async (_, change, code, words) => {
    const { problems } = await closure({ ...working, ...change });
    const found = problems.find(({ severity }) => severity === "error");
    expect(found?.code).toBe(code);
    expect(found?.message).toContain(words);
    expect(found?.hint).toMatch(/^[A-Z].*\.$/);
  });

  test("a library without versions is only told", async () => {
    const { soname, needed } = libc;
    const { problems } = await closure({
      ...working,
      "/lib/x86_64-linux-gnu/libc.so.6": { soname: soname ?? "", needed: needed ?? [] },
    });
    expect(problems.map(({ severity, code }) => [severity, code])).toEqual([
      ["warning", "LIBRARY_UNVERSIONED"],
    ]);
  });
});

describe.each([glibcPath, muslPath])("a program that looks for ever, with %s", (interpreter) => {
  test("is refused", async () => {
    const needed = Array.from({ length: 5000 }, (_, n) => `lib${n}.so`);
    const { problems } = await closure({
      "/app": { pie: true, interpreter, needed, rpath: "/a:".repeat(1000) },
      [glibcPath]: glibc,
      [muslPath]: musl,
    });
    expect(problems.map(({ code }) => code)).toEqual(["ELF_TOO_LARGE"]);
  });
});

describe("glibc's order", () => {
  const x = { soname: "libx.so.1" };
  test.each<[name: string, files: Files, path: string, options?: ClosureOptions]>([
    [
      "RPATH before the environment",
      { "/app": { ...app, rpath: "/r" }, "/r/libx.so.1": x, "/e/libx.so.1": x },
      "/r/libx.so.1",
      { libraryPath: "/e" },
    ],
    [
      "the environment before RUNPATH",
      { "/app": { ...app, runpath: "/r" }, "/r/libx.so.1": x, "/e/libx.so.1": x },
      "/e/libx.so.1",
      { libraryPath: "/none;/e" },
    ],
    [
      "RUNPATH before the defaults",
      { "/app": { ...app, runpath: "/none:/r" }, "/r/libx.so.1": x },
      "/r/libx.so.1",
    ],
    [
      "RUNPATH hides RPATH",
      { "/app": { ...app, rpath: "/r", runpath: "/none" }, "/r/libx.so.1": x },
      "/usr/lib/libx.so.1",
    ],
    [
      "$ORIGIN is the program's directory",
      { "/app": { ...app, runpath: "$ORIGIN/l" }, "/l/libx.so.1": x },
      "//l/libx.so.1",
    ],
    [
      "$LIB is the first default's name",
      { "/app": { ...app, runpath: "/p/$LIB" }, "/p/lib/x86_64-linux-gnu/libx.so.1": x },
      "/p/lib/x86_64-linux-gnu/libx.so.1",
    ],
    [
      "an empty element is the working directory",
      { "/app": { ...app, runpath: ":" }, "/w/libx.so.1": x },
      "libx.so.1",
      { workingDirectory: "/w" },
    ],
    [
      "a library for another machine is passed over",
      { "/lib/x86_64-linux-gnu/libx.so.1": { ...x, platform: tinyPlatforms["linux/386"] } },
      "/usr/lib/libx.so.1",
    ],
    [
      "the processor's own copy, if it is known",
      { "/usr/lib/glibc-hwcaps/x86-64-v3/libx.so.1": x },
      "/usr/lib/glibc-hwcaps/x86-64-v3/libx.so.1",
      { hwcaps: ["x86-64-v3"] },
    ],
    [
      "every processor's copy, if it is not",
      { "/usr/lib/glibc-hwcaps/x86-64-v3/libx.so.1": x },
      "/usr/lib/libx.so.1",
    ],
  ])("%s", async (_, files, path, options) => {
    const { objects } = await closure({ ...working, ...files }, options);
    expect(objects.find(({ name }) => name === "libx.so.1")?.path.replace("//", "/")).toBe(
      path.replace("//", "/"),
    );
  });

  test("what is preloaded is first, and its absence only told", async () => {
    const { objects, problems } = await closure(working, { preload: "libx.so.1 /none.so" });
    expect(objects[1]?.path).toBe("/usr/lib/libx.so.1");
    expect(problems.map(({ severity, code }) => [severity, code])).toEqual([
      ["warning", "LIBRARY_MISSING"],
      ["warning", "LIBRARY_VERSION_MISSING"],
    ]);
  });
});

describe("musl", () => {
  const files: Files = {
    "/app": { pie: true, interpreter: muslPath, needed: ["libx.so", "libc.so.6"] },
    [muslPath]: musl,
    "/usr/local/lib/libx.so": { soname: "other", needed: ["libpthread.so.0"] },
  };

  test("is libc under every name, and asks for no versions", async () => {
    const { loader, objects, problems } = await closure(files);
    expect(loader).toBe("musl");
    expect(objects.map(({ path }) => path)).toEqual(["/app", "/usr/local/lib/libx.so", muslPath]);
    expect(problems).toEqual([]);
  });

  test("looks where its path file says, and nowhere else", async () => {
    const moved = await closure({
      ...files,
      "/etc/ld-musl-x86_64.path": "/opt\n/srv",
      "/srv/libx.so": { soname: "x" },
    });
    expect(moved.objects[1]?.path).toBe("/srv/libx.so");
    const lost = await closure({ ...files, "/etc/ld-musl-x86_64.path": "/opt\n" });
    expect(lost.problems.map(({ code }) => code)).toEqual(["LIBRARY_MISSING"]);
  });
});

/** In memory; paths are taken as they are, but for `//`, `.` and `..`. */
async function closure(files: Files, options?: ClosureOptions): Promise<Closure> {
  const contents = new Map(
    Object.entries(files).flatMap(([path, file]) =>
      file === undefined
        ? []
        : [[path, typeof file === "string" ? Buffer.from(file) : buildElf(file)] as const],
    ),
  );
  const root: LibraryRoot = {
    resolve(path) {
      const clean = new URL(`file://${path}`).pathname.replaceAll(/\/+/g, "/");
      return contents.has(clean) ? { path: clean, kind: "file" } : undefined;
    },
    async elf({ path }) {
      try {
        return await readElf(bytesSource(contents.get(path) ?? Buffer.alloc(0)));
      } catch {
        return undefined;
      }
    },
    read: ({ path }) => Promise.resolve(contents.get(path)),
  };
  return await closureOf(root, "/app", options);
}
