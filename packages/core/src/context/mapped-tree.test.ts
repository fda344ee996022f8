import { readAll } from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { filteredTree } from "./filtered-tree.ts";
import { mappedTree, type FileMapping, type MappedTree } from "./mapped-tree.ts";
import { memoryTree } from "./memory-tree.ts";
import { walkTree, type SourceTree } from "./source-tree.ts";

const nothing = memoryTree({});
const link = (linkTarget: string) => ({ kind: "symlink" as const, linkTarget });

const project = memoryTree({
  "src/handler.js": "handler",
  "src/sub/b.js": { content: "b", mode: 0o755 },
  "src/link.js": link("handler.js"),
  "src2/handler.js": "other",
  "src2/more.js": "more",
  "config/additionalFilesDir/inc.so": "so",
  "config/license.json": { content: "{}", mode: 0o600 },
  empty: { kind: "directory" },
  "special/pipe": { kind: "fifo" },
  "special/socket": { kind: "socket" },
  "socket/s": { kind: "socket" },
  "socket/f": "f",
  current: link("src"),
  escape: link("../other"),
  absolute: link("/etc/passwd"),
  "inner/dangling": link("nowhere"),
  "inner/out": link("/etc/shadow"),
});

function mapped(...mappings: FileMapping[]): MappedTree {
  return mappedTree(nothing, project, mappings);
}

function pathsOf(tree: SourceTree): string[] {
  return [...walkTree(tree, "/")].map(({ path }) => path);
}

async function textOf(tree: SourceTree, path: string): Promise<string> {
  return Buffer.from(await readAll(tree.open(path).stream())).toString();
}

test("S1: the context is exactly what is mapped", () => {
  const tree = mapped(
    { from: "/src", to: "/application" },
    { from: "/config/additionalFilesDir", to: "/includes" },
    { from: "/config/license.json", to: "license.json" },
  );
  expect(pathsOf(tree)).toEqual([
    "/application",
    "/application/handler.js",
    "/application/link.js",
    "/application/sub",
    "/application/sub/b.js",
    "/includes",
    "/includes/inc.so",
    "/license.json",
  ]);
  expect(tree.lstat("/license.json")?.mode).toBe(0o600);
  expect(tree.lstat("/application/link.js")).toMatchObject({ kind: "symlink", linkTarget: "handler.js" });
});

test.each(["src", "/src", "./src", "src/", "//src/.", "src2/../src"])(
  "S1: from %j is the same directory",
  (from) => {
    for (const to of ["application", "/application", "/application/", "./application"]) {
      expect(pathsOf(mapped({ from, to }))).toEqual(pathsOf(mapped({ from: "src", to: "application" })));
    }
  },
);

describe("S3: what is used", () => {
  test("a mapping of which nothing was taken is told, in order", () => {
    const first = { from: "src", to: "application" };
    const second = { from: "empty", to: "unused" };
    const tree = mapped(first, second);
    expect(tree.unusedMappings()).toEqual([first, second]);
    tree.taken?.("/application/handler.js");
    expect(tree.unusedMappings()).toEqual([second]);
  });

  test("the way to a mapping is not the mapping", () => {
    const tree = mapped({ from: "src", to: "a/b" });
    tree.taken?.("/a");
    expect(tree.unusedMappings()).toHaveLength(1);
  });

  test("all mappings that merge into a directory are used with it", () => {
    const tree = mapped({ from: "src", to: "a" }, { from: "src2", to: "a" });
    tree.taken?.("/a");
    expect(tree.unusedMappings()).toEqual([]);
  });

  test("a missing path is answered with what is mapped", () => {
    expect(mapped({ from: "src", to: "/application" }).missingHint).toContain("application");
  });
});

describe("S4: nothing matches", () => {
  test("a from that is not there names its mapping and its path", () => {
    const mappings = [
      { from: "src", to: "a" },
      { from: "./nope/x", to: "b" },
    ];
    expect(() => mapped(...mappings)).toThrow(
      expect.objectContaining({
        code: "MAPPING_NOT_FOUND",
        message: expect.stringMatching(/files\[1\].*\/nope\/x/),
      }),
    );
  });

  test("a path below a file is not there", () => {
    expect(() => mapped({ from: "config/license.json/x", to: "a" })).toThrow(
      expect.objectContaining({ code: "MAPPING_NOT_FOUND" }),
    );
  });

  test("an empty directory is there", () => {
    expect(pathsOf(mapped({ from: "empty", to: "e" }))).toEqual(["/e"]);
  });
});

describe("S5: collisions", () => {
  test("directories merge, and the last mapping wins at one path", async () => {
    const tree = mapped({ from: "src", to: "a" }, { from: "src2", to: "a" });
    expect(pathsOf(tree)).toEqual([
      "/a",
      "/a/handler.js",
      "/a/link.js",
      "/a/more.js",
      "/a/sub",
      "/a/sub/b.js",
    ]);
    expect(await textOf(tree, "/a/handler.js")).toBe("other");
    const turned = mapped({ from: "src2", to: "a" }, { from: "src", to: "a" });
    expect(await textOf(turned, "/a/handler.js")).toBe("handler");
  });

  test("a file over a path of a mapped directory", async () => {
    const tree = mapped({ from: "src", to: "a" }, { from: "src2/more.js", to: "a/handler.js" });
    expect(await textOf(tree, "/a/handler.js")).toBe("more");
    expect(tree.lstat("/a/sub/b.js")).toBeDefined();
  });

  test("a directory over a path of a mapped file hides it", () => {
    const tree = mapped({ from: "config/license.json", to: "a" }, { from: "src2", to: "a" });
    expect(pathsOf(tree)).toEqual(["/a", "/a/handler.js", "/a/more.js"]);
  });

  test("a file over a mapped directory hides what is in it", () => {
    const tree = mapped({ from: "src", to: "a" }, { from: "config/license.json", to: "a" });
    expect(pathsOf(tree)).toEqual(["/a"]);
    expect(tree.lstat("/a")?.kind).toBe("file");
  });

  test("a later file hides an earlier mapping below it", () => {
    const tree = mapped({ from: "src2", to: "a/b" }, { from: "config/license.json", to: "a" });
    expect(pathsOf(tree)).toEqual(["/a"]);
  });

  test.each(["Dockerfile", "/Dockerfile", "./Dockerfile/"])("to %j is refused", (to) => {
    expect(() => mapped({ from: "config/license.json", to })).toThrow(
      expect.objectContaining({ code: "MAPPING_INVALID" }),
    );
  });

  test("a file at the root of the context is refused, a directory is the context", () => {
    expect(() => mapped({ from: "config/license.json", to: "/" })).toThrow(/root of the context/);
    expect(pathsOf(mapped({ from: "src2", to: "." }))).toEqual(["/handler.js", "/more.js"]);
  });
});

test("mappings are laid over the context directory", async () => {
  const base = memoryTree({
    "a/old.js": "old",
    "a/handler.js": "base",
    file: "file",
    a: { kind: "directory", mode: 0o700 },
  });
  const tree = mappedTree(base, project, [
    { from: "src2", to: "a" },
    { from: "empty", to: "file/below" },
  ]);
  expect(pathsOf(tree)).toEqual(["/a", "/a/handler.js", "/a/more.js", "/a/old.js", "/file", "/file/below"]);
  expect(await textOf(tree, "/a/handler.js")).toBe("other");
  expect(await textOf(tree, "/a/old.js")).toBe("old");
  expect(tree.lstat("/file")?.kind).toBe("directory");
});

test("S14: the whole project can be mapped, and a .dockerignore is heard before a kind is refused", () => {
  const tree = mapped({ from: ".", to: "/" });
  expect(() => pathsOf(tree)).toThrow(/special\/pipe/);
  const filtered = filteredTree(tree, { ignores: (path) => path === "special/pipe" || path === "inner" });
  expect(pathsOf(filtered)).toEqual(expect.arrayContaining(["/src/sub/b.js", "/special", "/escape"]));
  expect(pathsOf(filtered)).not.toContain("/special/pipe");
});

describe("S6: links and special files", () => {
  test("a from that is a link is followed", () => {
    expect(pathsOf(mapped({ from: "current", to: "a" }))).toContain("/a/handler.js");
    expect(pathsOf(mapped({ from: "current/sub", to: "a" }))).toEqual(["/a", "/a/b.js"]);
  });

  test("links in a mapped directory stay as they are, wherever they lead", () => {
    const tree = mapped({ from: "inner", to: "a" });
    expect(tree.lstat("/a/dangling")?.linkTarget).toBe("nowhere");
    expect(tree.lstat("/a/out")?.linkTarget).toBe("/etc/shadow");
  });

  test("hard links are files of their own, and setuid is not handed on", () => {
    const twice = { content: "x", linkGroup: "1", mode: 0o6755 };
    const tree = mappedTree(nothing, memoryTree({ "d/a": twice, "d/b": twice }), [{ from: "d", to: "d" }]);
    expect(tree.lstat("/d/a")).toEqual({ kind: "file", mode: 0o755, uid: 0, gid: 0, mtime: 0, size: 1 });
    expect(mappedTree(memoryTree({ a: twice }), nothing, []).lstat("/a")).toMatchObject({
      mode: 0o6755,
      linkGroup: "1",
    });
  });

  test("sockets are skipped", () => {
    expect(pathsOf(mapped({ from: "socket", to: "a" }))).toEqual(["/a", "/a/f"]);
  });

  test("a fifo is refused with its path", () => {
    expect(() => pathsOf(mapped({ from: "special", to: "a" }))).toThrow(
      expect.objectContaining({
        code: "FILE_KIND_UNSUPPORTED",
        message: expect.stringContaining("/special/pipe"),
      }),
    );
  });

  test.each([
    ["from a path above the project", { from: "../x", to: "a" }],
    ["from a path that leaves and comes back", { from: "a/../../project/src", to: "a" }],
    ["through a link that leads above", { from: "escape", to: "a" }],
    ["through a link that leads to the machine's root", { from: "absolute", to: "a" }],
    ["to a path above the context", { from: "src", to: "../a" }],
  ])("an escape %s is refused", (_, mapping) => {
    expect(() => mapped(mapping)).toThrow(
      expect.objectContaining({ code: "MAPPING_INVALID", message: expect.stringContaining("files[0]") }),
    );
  });

  test.each([
    { from: "", to: "a" },
    { from: "src", to: "" },
    { from: "a\0", to: "b" },
  ])("%j is refused", (mapping) => {
    expect(() => mapped(mapping)).toThrow(expect.objectContaining({ code: "MAPPING_INVALID" }));
  });
});
