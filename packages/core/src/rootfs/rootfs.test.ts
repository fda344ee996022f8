import { readAll } from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { bytesContent } from "../context/memory-tree.ts";
import { walkTree } from "../context/source-tree.ts";
import type { Entry } from "../layer/entry.ts";
import type { IndexEntry, LayerIndex } from "./layer-index.ts";
import { emptyRootFs, type RootFs } from "./rootfs.ts";

const content = { open: (path: string) => bytesContent(Buffer.from(path)) };

function layer(entries: readonly IndexEntry[], files: Record<string, string> = {}): LayerIndex {
  return { version: 2, collector: "", diffId: `sha256:${"0".repeat(64)}`, entries, files };
}

function rootOf(...layers: readonly IndexEntry[][]): RootFs {
  const root = emptyRootFs();
  for (const entries of layers) root.applyIndex(layer(entries), content);
  return root;
}

function pathsOf(root: RootFs): string[] {
  return [...walkTree(root, "/")].map(({ path, node }) => (node.kind === "directory" ? `${path}/` : path));
}

const file = (path: string): IndexEntry => ({ path, kind: "file", mode: 0o644, size: 1 });
const directory = (path: string, mode = 0o755): IndexEntry => ({ path, kind: "directory", mode });
const symlink = (path: string, linkTarget: string): IndexEntry => ({ path, kind: "symlink", linkTarget });

describe("layers over layers", () => {
  test("a whiteout takes from below, and not from its own layer", () => {
    const root = rootOf(
      [directory("/a"), file("/a/x"), file("/a/y"), file("/b")],
      [file("/a/y"), { path: "/a/y", kind: "whiteout" }, { path: "/a/x", kind: "whiteout" }],
    );
    expect(pathsOf(root)).toEqual(["/a/", "/a/y", "/b"]);
  });

  test("an opaque directory hides what lower layers have in it", () => {
    const root = rootOf(
      [directory("/a"), file("/a/x"), directory("/a/d"), file("/a/d/z")],
      [file("/a/new"), directory("/a", 0o700), { path: "/a", kind: "opaque" }],
    );
    expect(pathsOf(root)).toEqual(["/a/", "/a/new"]);
    expect(root.lstat("/a")?.mode).toBe(0o700);
  });

  test("a directory over a directory keeps what is in it, and takes the new attributes", () => {
    const root = rootOf([directory("/a", 0o700), file("/a/x")], [directory("/a", 0o1777)]);
    expect(pathsOf(root)).toEqual(["/a/", "/a/x"]);
    expect(root.lstat("/a")?.mode).toBe(0o1777);
  });

  test("kinds replace each other", () => {
    expect(pathsOf(rootOf([directory("/a"), file("/a/x")], [file("/a")]))).toEqual(["/a"]);
    expect(pathsOf(rootOf([file("/a")], [directory("/a"), file("/a/x")]))).toEqual(["/a/", "/a/x"]);
    expect(pathsOf(rootOf([symlink("/a", "b"), directory("/b")], [file("/a/x")]))).toEqual([
      "/a/",
      "/a/x",
      "/b/",
    ]);
  });

  test("a link of the same layer is on the way to its members", () => {
    const root = rootOf([directory("/usr/bin"), symlink("/bin", "usr/bin"), file("/bin/sh")]);
    expect(pathsOf(root)).toEqual(["/bin", "/usr/", "/usr/bin/", "/usr/bin/sh"]);
  });

  test("hard links share attributes and content, across layers too", async () => {
    const root = rootOf([{ ...file("/a"), uid: 7 }], [{ path: "/b", kind: "hardlink", linkTarget: "/a" }]);
    expect(root.lstat("/b")).toEqual(root.lstat("/a"));
    expect(root.lstat("/b")?.linkGroup).toBeDefined();
    expect(Buffer.from(await readAll(root.open("/b").stream())).toString()).toBe("/a");
  });

  test.each([
    ["nothing", []],
    ["a directory", [directory("/x")]],
  ])("a hard link to %s is refused", (_, lower) => {
    expect(() => rootOf([...lower, { path: "/b", kind: "hardlink", linkTarget: "/x" }])).toThrow(
      expect.objectContaining({ code: "LAYER_INVALID" }),
    );
  });

  test("the root's own attributes come from a layer", () => {
    expect(rootOf([directory("/", 0o700)]).lstat("/")?.mode).toBe(0o700);
  });

  test("names from JavaScript's own objects are names", () => {
    expect(pathsOf(rootOf([file("/__proto__"), file("/constructor")]))).toEqual([
      "/__proto__",
      "/constructor",
    ]);
    expect(emptyRootFs().lstat("/constructor")).toBeUndefined();
  });
});

test("S18: links are resolved through all layers", () => {
  const root = rootOf(
    [directory("/usr/bin"), symlink("/bin", "usr/bin"), symlink("/chain", "/bin"), symlink("/old", "usr")],
    [{ path: "/old", kind: "whiteout" }, symlink("/higher", "/chain")],
  );
  expect(root.resolve("/higher/x").path).toBe("/usr/bin/x");
  expect(root.resolve("/old/x").path).toBe("/old/x");
});

test("a clone changes on its own", () => {
  const root = rootOf([directory("/a"), file("/a/x")]);
  const clone = root.clone();
  clone.remove("/a/x");
  clone.put("/b", { kind: "directory", mode: 0o700, uid: 0, gid: 0, mtime: 0, size: 0 });
  expect(pathsOf(root)).toEqual(["/a/", "/a/x"]);
  expect(pathsOf(clone)).toEqual(["/a/", "/b/"]);
});

describe("small files at hand", () => {
  test("are read through links, from an index or from a step", () => {
    const root = emptyRootFs();
    root.applyIndex(
      layer(
        [file("/usr/lib/os-release"), symlink("/etc/os-release", "../usr/lib/os-release"), file("/big")],
        {
          "/usr/lib/os-release": Buffer.from("ID=x").toString("base64"),
        },
      ),
      { open: (_path, size) => ({ size, async *stream() {} }) },
    );
    expect(Buffer.from(root.read("/etc/os-release") ?? []).toString()).toBe("ID=x");
    expect(root.read("/big")).toBeUndefined();
    expect(root.read("/none")).toBeUndefined();
    const node = { kind: "file", mode: 0o644, uid: 0, gid: 0, mtime: 0, size: 3 } as const;
    root.put("/usr/lib/os-release", node, bytesContent(Buffer.from("new")));
    expect(Buffer.from(root.read("/etc/os-release") ?? []).toString()).toBe("new");
  });
});

test("a name of a file that another of its path replaces keeps the file", () => {
  const root = emptyRootFs();
  const opened: [string, number | undefined][] = [];
  root.applyIndex(
    layer(
      [
        { ...file("/etc/passwd"), size: 3 },
        { path: "/old", kind: "hardlink", linkTarget: "/etc/passwd" },
        { ...file("/etc/passwd"), size: 4, earlier: 1 },
      ],
      { "/etc/passwd": Buffer.from("last").toString("base64") },
    ),
    {
      open(path, size, earlier) {
        opened.push([path, earlier]);
        return bytesContent(Buffer.alloc(size));
      },
    },
  );
  expect(root.read("/etc/passwd")).toEqual(Buffer.from("last"));
  expect(root.read("/old")).toEqual(Buffer.alloc(3));
  expect(opened).toEqual([["/etc/passwd", undefined]]);
});

test("facts belong to the file that they were found in", () => {
  const root = rootOf([{ ...file("/a"), facts: { elf: true } }]);
  expect(root.facts("/a")).toEqual({ elf: true });
  root.put("/a", { kind: "file", mode: 0, uid: 0, gid: 0, mtime: 0, size: 0 }, bytesContent(Buffer.alloc(0)));
  expect(root.facts("/a")).toBeUndefined();
});

test("new layers are laid over as base layers are", () => {
  const root = rootOf([directory("/d"), file("/d/x"), file("/d/y")]);
  const owned = { mode: 0o644, uid: 1, gid: 2, mtime: 3 };
  root.applyEntries([
    { kind: "whiteout", path: "d/x" },
    { kind: "file", path: "n/f", ...owned, content: bytesContent(Buffer.from("f")) },
    { kind: "hardlink", path: "n/g", ...owned, linkTarget: "n/f" },
  ]);
  expect(pathsOf(root)).toEqual(["/d/", "/d/y", "/n/", "/n/f", "/n/g"]);
  expect(root.lstat("/n/g")?.linkGroup).toBe(root.lstat("/n/f")?.linkGroup);
});

describe("a layer of one's own", () => {
  const attributes = { mode: 0o644, uid: 0, gid: 0, mtime: 0 };
  const own = (...paths: string[]): Entry[] =>
    paths.map((path) =>
      path.endsWith("/")
        ? { kind: "directory", path: path.slice(0, -1), ...attributes, mode: 0o755 }
        : { kind: "file", path, ...attributes, content: bytesContent(Buffer.from(path)) },
    );

  test("is there in the order of its names, in whatever order it is looked into", () => {
    const paths = ["a/", "a-b/", "a-b/x", "a/b/", "a/b/c", "a/d", "ab"];
    const expected = ["/a-b/", "/a-b/x", "/a/", "/a/b/", "/a/b/c", "/a/d", "/ab"];
    for (const first of ["/", "/a/b/c", "/a-b/x", "/a/d", "/a/nothing"]) {
      const root = emptyRootFs();
      root.applyEntries(own(...paths));
      root.lstat(first);
      const clone = root.clone();
      expect(pathsOf(root).sort()).toEqual(expected);
      clone.put("/a/new", { kind: "fifo", ...attributes, size: 0 });
      expect(pathsOf(clone).sort()).toEqual([...expected, "/a/new"].sort());
      expect(pathsOf(root).sort()).toEqual(expected);
      expect(root.entries().map(({ path }) => path)).toEqual([
        "a",
        "a-b",
        "a-b/x",
        "a/b",
        "a/b/c",
        "a/d",
        "ab",
      ]);
    }
  });

  test("makes the directories that it does not list, and merges with those that are there", () => {
    const root = rootOf([directory("/srv", 0o700), file("/srv/old")]);
    root.applyEntries(own("new/deep/er/x", "srv/", "srv/sub/", "srv/sub/y"));
    expect(pathsOf(root)).toEqual([
      "/new/",
      "/new/deep/",
      "/new/deep/er/",
      "/new/deep/er/x",
      "/srv/",
      "/srv/old",
      "/srv/sub/",
      "/srv/sub/y",
    ]);
    root.applyEntries([
      { kind: "file", path: "srv/sub", ...attributes, content: bytesContent(Buffer.alloc(1)) },
    ]);
    expect(root.lstat("/srv/sub/y")).toBeUndefined();
    root.applyEntries([{ kind: "whiteout", path: "new/deep" }]);
    expect(pathsOf(root)).toEqual(["/new/", "/srv/", "/srv/old", "/srv/sub"]);
  });

  test("may link to a file that an earlier one brought", () => {
    const root = emptyRootFs();
    root.applyEntries(own("a/", "a/b/", "a/b/file"));
    root.applyEntries([{ kind: "hardlink", path: "z", ...attributes, linkTarget: "a/b/file" }]);
    expect(root.lstat("/z")?.linkGroup).toBeDefined();
    expect(root.lstat("/a/b/file")).toEqual(root.lstat("/z"));
  });
});
