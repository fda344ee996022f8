import { describe, expect, test } from "vitest";
import { mappedTree } from "../context/mapped-tree.ts";
import { bytesContent, memoryTree, type MemoryFile } from "../context/memory-tree.ts";
import type { SourceTree } from "../context/source-tree.ts";
import { pathMatcher } from "../dockerfile/path-match.ts";
import type { Entry } from "../layer/entry.ts";
import type { CopyStep } from "./copy-step.ts";
import { copy } from "./copy.ts";
import { emptyRootFs, type RootFs } from "./rootfs.ts";
import { workdir } from "./workdir.ts";

const link = (linkTarget: string) => ({ kind: "symlink" as const, linkTarget });

function rootOf(files: Readonly<Record<string, MemoryFile>>): RootFs {
  const root = emptyRootFs();
  copy(root, stepOf(memoryTree(files), ["."], "/"));
  return root;
}

function stepOf(
  tree: SourceTree,
  paths: readonly string[],
  destination: string,
  more: Partial<CopyStep> = {},
): CopyStep {
  return {
    sources: paths.map((path) => ({ kind: "path", tree, path })),
    destination,
    match: (pattern, name) => pathMatcher(pattern)(name),
    now: 0,
    ...more,
  };
}

/** `usr/bin/ 755`, `usr/bin/abc 644`, `bin -> usr/bin`. */
function listing(entries: readonly Entry[]): string[] {
  return entries.map((entry) => {
    switch (entry.kind) {
      case "whiteout":
        return `${entry.path} gone`;
      case "symlink":
        return `${entry.path} -> ${entry.linkTarget}`;
      case "hardlink":
        return `${entry.path} = ${entry.linkTarget}`;
      case "directory":
        return `${entry.path}/ ${entry.mode.toString(8)}`;
      case "file":
      case "fifo":
      case "character-device":
      case "block-device":
        return `${entry.path} ${entry.mode.toString(8)}`;
    }
  });
}

const merged = {
  "usr/bin/sh": { content: "#!", mode: 0o755 },
  bin: link("usr/bin"),
  "var/lib/x": "x",
  tmp: { kind: "directory", mode: 0o1777 },
} satisfies Record<string, MemoryFile>;

describe("S1 on a merged-/usr base", () => {
  const project = memoryTree({
    "src/handler.js": "h",
    "src/sub/b.js": { content: "b", mode: 0o755 },
    "src/link.js": link("handler.js"),
    "config/additionalFilesDir/inc.so": "so",
    "config/license.json": { content: "{}", mode: 0o600 },
  });
  const context = mappedTree(memoryTree({}), project, [
    { from: "/src", to: "/application" },
    { from: "/config/additionalFilesDir", to: "/includes" },
    { from: "/config/license.json", to: "/license.json" },
  ]);
  const root = rootOf(merged);
  const layers = [
    copy(root, stepOf(context, ["application/"], "/var/task/")),
    copy(root, stepOf(context, ["includes"], "/var/lib")),
    copy(root, stepOf(context, ["license.json"], "/bin/abc/config/license.json")),
  ];

  test("gives exactly its three layers", () => {
    expect(layers.map(listing)).toEqual([
      [
        "var/ 755",
        "var/task/ 755",
        "var/task/handler.js 644",
        "var/task/link.js -> handler.js",
        "var/task/sub/ 755",
        "var/task/sub/b.js 755",
      ],
      ["var/ 755", "var/lib/ 755", "var/lib/inc.so 644"],
      [
        "usr/ 755",
        "usr/bin/ 755",
        "usr/bin/abc/ 755",
        "usr/bin/abc/config/ 755",
        "usr/bin/abc/config/license.json 600",
      ],
    ]);
  });

  test("uses each mapping", () => {
    expect(context.unusedMappings()).toEqual([]);
  });

  test("then WORKDIR /var/task changes nothing", () => {
    expect(workdir(root, "/var/task", { owner: { uid: 0, gid: 0 }, now: 0 })).toEqual([]);
  });
});

test("S1 on a plain base stays in /bin", () => {
  const root = rootOf({ "bin/sh": "x" });
  const entries = copy(root, stepOf(memoryTree({ l: "{}" }), ["l"], "/bin/abc/l"));
  expect(listing(entries)).toEqual(["bin/ 755", "bin/abc/ 755", "bin/abc/l 644"]);
});

describe("S18: destinations follow links", () => {
  const base = {
    ...merged,
    sbin: link("/bin"),
    dang: link("/nowhere/here"),
    up: link("../../../var/lib"),
    "var/lib/to": link("../../tmp/file"),
  };
  const tree = memoryTree({ f: "f" });
  test.each([
    ["/bin/abc", "usr/bin/abc 644"],
    ["/bin/", "usr/bin/f 644"],
    ["/bin", "usr/bin/f 644"],
    ["/sbin/", "usr/bin/f 644"],
    ["/dang", "nowhere/here 644"],
    ["/dang/f", "nowhere/here/f 644"],
    ["/dang/", "nowhere/here/f 644"],
    ["/up/f", "var/lib/f 644"],
    ["/var/lib/to", "tmp/file 644"],
    ["/../../bin/f", "usr/bin/f 644"],
  ])("%s is %s", (destination, last) => {
    expect(listing(copy(rootOf(base), stepOf(tree, ["f"], destination))).at(-1)).toBe(last);
  });

  test("parents keep their own attributes", () => {
    expect(listing(copy(rootOf(base), stepOf(tree, ["f"], "/tmp/f")))).toEqual(["tmp/ 1777", "tmp/f 644"]);
  });

  test("a link that an earlier COPY made is followed", () => {
    const root = rootOf({});
    copy(root, stepOf(memoryTree({ l: { ...link("/real") } }), ["."], "/"));
    expect(listing(copy(root, stepOf(tree, ["f"], "/l/x")))).toEqual(["real/ 755", "real/x 644"]);
  });

  test("WORKDIR follows them too", () => {
    const entries = workdir(rootOf(base), "/bin/newdir/sub", { owner: { uid: 3, gid: 4 }, now: 9 });
    expect(listing(entries)).toEqual([
      "usr/ 755",
      "usr/bin/ 755",
      "usr/bin/newdir/ 755",
      "usr/bin/newdir/sub/ 755",
    ]);
    expect(entries.at(-1)).toMatchObject({ uid: 3, gid: 4, mtime: 9 });
  });

  test("a copied tree that meets a link is refused, naming path and target", () => {
    const rootfs = memoryTree({ "rootfs/bin/abc": "x" });
    expect(() => copy(rootOf(base), stepOf(rootfs, ["rootfs"], "/"))).toThrow(
      expect.objectContaining({
        code: "COPY_CONFLICT",
        message: expect.stringMatching(/cannot copy to non-directory: \/bin .*usr\/bin/),
      }),
    );
  });

  test("a loop is refused", () => {
    const root = rootOf({ a: link("b"), b: link("a") });
    expect(() => copy(root, stepOf(tree, ["f"], "/a/x"))).toThrow(
      expect.objectContaining({ code: "SYMLINK_LOOP" }),
    );
  });
});

describe("symlink escape", () => {
  test("sources stay in the context", () => {
    const tree = memoryTree({ out: link("../../../etc/passwd"), "etc/passwd": "the context's own" });
    const root = emptyRootFs();
    copy(root, stepOf(tree, ["out"], "/x"));
    expect(Buffer.from(root.read("/x") ?? []).toString()).toBe("the context's own");
  });

  test("links in a copied directory are copied as links, whatever they lead to", () => {
    const tree = memoryTree({ "d/out": link("/etc/shadow"), "d/up": link("../../..") });
    expect(listing(copy(emptyRootFs(), stepOf(tree, ["d"], "/d")))).toEqual([
      "d/ 755",
      "d/out -> /etc/shadow",
      "d/up -> ../../..",
    ]);
  });
});

describe("names that mean deletions", () => {
  test.each([
    ["in a copied directory", ["d"], "/d/"],
    ["as a source", ["d/.wh.x"], "/e/"],
    ["as a destination", ["f"], "/.wh.x"],
    ["on the way to a destination", ["f"], "/.wh..wh..opq/x"],
  ])("are refused %s", (_, paths, destination) => {
    const tree = memoryTree({ "d/.wh.x": "x", f: "f" });
    expect(() => copy(emptyRootFs(), stepOf(tree, paths, destination))).toThrow(
      expect.objectContaining({ code: "COPY_NAME_RESERVED", message: expect.stringContaining(".wh.") }),
    );
  });
});

describe("what is missing", () => {
  test("is named as BuildKit names it, with what there is", () => {
    const tree = { ...memoryTree({}), missingHint: "Mapped into the build context are a, b." };
    expect(() => copy(emptyRootFs(), stepOf(tree, ["./x/"], "/"))).toThrow(
      expect.objectContaining({
        code: "COPY_SOURCE_MISSING",
        message: '"/x": not found',
        hint: tree.missingHint,
      }),
    );
  });

  test("is an error for a pattern only above the pattern", () => {
    const tree = memoryTree({ "d/x": "" });
    expect(copy(emptyRootFs(), stepOf(tree, ["d/*.no"], "/e/"))).toEqual([]);
    expect(() => copy(emptyRootFs(), stepOf(tree, ["no/*"], "/e/"))).toThrow(
      /lstat \/no: no such file or directory/,
    );
  });
});

test("hard links of one source stay hard links, whatever comes first", () => {
  const tree = memoryTree({
    "d/z": { content: "same", linkGroup: "1" },
    "d/a": { content: "same", linkGroup: "1" },
    "d/m": "other",
  });
  expect(listing(copy(emptyRootFs(), stepOf(tree, ["d"], "/d")))).toEqual([
    "d/ 755",
    "d/a 644",
    "d/m 644",
    "d/z = d/a",
  ]);
  expect(listing(copy(emptyRootFs(), stepOf(tree, ["d/a", "d/z"], "/d/")))).toEqual([
    "d/ 755",
    "d/a 644",
    "d/z 644",
  ]);
});

test("names of one file that different steps copied are not one file any more", () => {
  const context = memoryTree({ a: { content: "x", linkGroup: "1" }, b: { content: "x", linkGroup: "1" } });
  const stage = emptyRootFs();
  copy(stage, stepOf(context, ["a"], "/d/"));
  copy(stage, stepOf(context, ["b"], "/d/", { chmod: () => 0o755 }));
  expect(listing(copy(emptyRootFs(), stepOf(stage, ["/d"], "/d")))).toEqual(["d/ 755", "d/a 644", "d/b 755"]);
});

test("heredocs are files of their names", () => {
  const written = {
    kind: "written",
    name: "EOF",
    content: bytesContent(Buffer.from("hi")),
    mode: 0o644,
    mtime: 7,
  } as const;
  const step = { ...stepOf(memoryTree({}), [], "/etc/"), sources: [written] };
  expect(listing(copy(emptyRootFs(), step))).toEqual(["etc/ 755", "etc/EOF 644"]);
  expect(listing(copy(emptyRootFs(), { ...step, destination: "/etc/x" }))).toEqual(["etc/ 755", "etc/x 644"]);
});

test("--chown and --chmod reach what is copied and the directories made on the way", () => {
  const tree = memoryTree({ "d/f": "f", "d/l": link("f") });
  const entries = copy(
    emptyRootFs(),
    stepOf(tree, ["d"], "/a/b", { owner: { uid: 1, gid: 2 }, chmod: () => 0o640, parentMode: 0o1640 }),
  );
  expect(listing(entries)).toEqual(["a/ 640", "a/b/ 640", "a/b/f 640", "a/b/l -> f"]);
  expect(entries.every((entry) => entry.kind !== "whiteout" && entry.uid === 1 && entry.gid === 2)).toBe(
    true,
  );
});

test("--parents leaves the owner of directories on the way that are there, and takes the source's mode", () => {
  const base = { a: { kind: "directory", mode: 0o700 } } as const;
  const style = { owner: { uid: 1, gid: 2 }, chmod: () => 0o640 };
  const tree = memoryTree({ "a/b/f": "f", "a/b": { kind: "directory", mode: 0o711 } });
  const exactly = (pattern: string) => (path: string) => path === pattern;
  expect(listing(copy(rootOf(base), stepOf(tree, ["a/b/f"], "/", { parents: exactly })))).toEqual([
    "a/ 755",
    "a/b/ 711",
    "a/b/f 644",
  ]);
  const changed = copy(rootOf(base), stepOf(tree, ["a/b/f"], "/", { parents: exactly, ...style }));
  expect(listing(changed)).toEqual(["a/ 755", "a/b/ 640", "a/b/f 640"]);
  expect(changed.map((entry) => entry.kind !== "whiteout" && entry.uid)).toEqual([0, 1, 1]);
});

test("--parents sets a directory on the way once for all that a pattern finds below it", () => {
  const tree = memoryTree({ "a/b": "b", "a/c": "c" });
  const below = () => (path: string) => path.startsWith("a/");
  const step = stepOf(tree, ["a/*"], "/", { parents: below, chmod: () => 0o711 });
  expect(listing(copy(emptyRootFs(), step))).toEqual(["a/ 711", "a/b 711", "a/c 711"]);
});

test("--parents does not find what --exclude leaves out, nor the root", () => {
  const tree = memoryTree({ "a/f": "f" });
  const parents = () => () => true;
  const exclude = { ignores: (path: string) => path === "a", reincludes: false };
  for (const step of [stepOf(tree, ["a"], "/", { parents, exclude }), stepOf(tree, ["."], "/", { parents })])
    expect(() => copy(emptyRootFs(), step)).toThrow(expect.objectContaining({ code: "COPY_SOURCE_MISSING" }));
});

test("--parents wants what stands before the pivot, with a wildcard behind it too", () => {
  const parents = () => () => true;
  expect(() => copy(emptyRootFs(), stepOf(memoryTree({}), ["d/./*"], "/", { parents }))).toThrow(
    "lstat /d: no such file or directory",
  );
  expect(copy(emptyRootFs(), stepOf(memoryTree({}), ["d*/./*"], "/", { parents }))).toEqual([]);
});

test("--parents follows no link on the way to a name, and copies one that is the name itself", () => {
  const tree = memoryTree({ "d/a": "a", l: link("d") });
  const parents = (pattern: string) => (path: string) => path === pattern;
  for (const source of ["l/a", "l/./a"])
    expect(() => copy(emptyRootFs(), stepOf(tree, [source], "/", { parents }))).toThrow('"/l/a": not found');
  expect(listing(copy(emptyRootFs(), stepOf(tree, ["l"], "/", { parents })))).toEqual(["l -> d"]);
});

test("--parents with a wildcard before the pivot wants nothing of what stands behind it", () => {
  const tree = memoryTree({ "d/a": "a", "d/l": link("."), "e/b": "b" });
  const parents = () => () => true;
  for (const [source, found] of [
    ["?/./a", ["a 644"]],
    ["?/./b", ["b 644"]],
    ["?/./l/a", []],
    ["?/./", []],
    ["?/./none", []],
  ] as const)
    expect(listing(copy(emptyRootFs(), stepOf(tree, [source], "/", { parents })))).toEqual(found);
});

test("names of one file stay so within a tree, not from one match of a pattern to the next", () => {
  const linked = { kind: "file", content: "x", linkGroup: "1" } as const;
  const tree = memoryTree({ "d/a": linked, "d/b": linked, e: linked });
  const kinds = (sources: string[]) =>
    copy(emptyRootFs(), stepOf(tree, sources, "/o/")).map(({ kind, path }) => `${path} ${kind}`);
  expect(kinds(["."])).toEqual([
    "o directory",
    "o/d directory",
    "o/d/a file",
    "o/d/b hardlink",
    "o/e hardlink",
  ]);
  expect(kinds(["*"])).toEqual(["o directory", "o/a file", "o/b hardlink", "o/e file"]);
});

test("a missing source is told as BuildKit does, with --exclude and without", () => {
  const tree = memoryTree({});
  const exclude = { ignores: () => false };
  const copied = (more: object) => () => copy(emptyRootFs(), stepOf(tree, ["f"], "/", more));
  expect(copied({})).toThrow('"/f": not found');
  expect(copied({ exclude })).toThrow("lstat /f: no such file or directory");
});

test("--link sees nothing of the image, and is laid over it", () => {
  const root = rootOf(merged);
  const entries = copy(
    root,
    stepOf(memoryTree({ f: "f" }), ["f"], "/bin/f", { destinationLinks: "replace" }),
  );
  expect(listing(entries)).toEqual(["bin/ 755", "bin/f 644"]);
  expect(root.lstat("/bin")?.kind).toBe("directory");
});

test("a failed COPY of a stage's own files names the way out of a file", () => {
  expect(() => copy(rootOf({ file: "x" }), stepOf(memoryTree({ f: "" }), ["f"], "/file/sub/f"))).toThrow(
    expect.objectContaining({
      code: "COPY_CONFLICT",
      message: expect.stringContaining("mkdir /file: not a directory"),
    }),
  );
});

describe("a path that Linux would not take", () => {
  const deep = "/a".repeat(20_000);

  test("is no place for a COPY", () => {
    const tree = memoryTree({ file: { content: "" } });
    expect(() => copy(emptyRootFs(), stepOf(tree, ["file"], `${deep}/`))).toThrow(
      expect.objectContaining({ code: "COPY_CONFLICT" }),
    );
  });

  test("comes out of no COPY", () => {
    const tree = memoryTree({ ["/a".repeat(1500)]: { content: "" } });
    expect(() => copy(emptyRootFs(), stepOf(tree, ["."], "/a".repeat(1500)))).toThrow(
      expect.objectContaining({ code: "COPY_CONFLICT" }),
    );
  });

  test("is no place to work in", () => {
    expect(() => workdir(emptyRootFs(), deep, { owner: { uid: 0, gid: 0 }, now: 0 })).toThrow(
      expect.objectContaining({ code: "COPY_CONFLICT" }),
    );
  });

  test.each([
    ["letters", "n".repeat(256), "n".repeat(255)],
    ["letters of three bytes", "日".repeat(86), "日".repeat(85)],
  ])("has no name of over 255 bytes, of %s", (_, long, fits) => {
    const tree = memoryTree({ file: { content: "" } });
    const tooLong = expect.objectContaining({
      code: "COPY_CONFLICT",
      message: expect.stringContaining("file name too long"),
    });
    expect(() => copy(emptyRootFs(), stepOf(tree, ["file"], `/${long}`))).toThrow(tooLong);
    expect(() => copy(emptyRootFs(), stepOf(tree, ["file"], `/${long}/x`))).toThrow(tooLong);
    expect(() => workdir(emptyRootFs(), `/a/${long}`, { owner: { uid: 0, gid: 0 }, now: 0 })).toThrow(
      tooLong,
    );
    expect(copy(emptyRootFs(), stepOf(tree, ["file"], `/${fits}`))).toHaveLength(1);
  });

  test("is one unit longer than what may be as deep as it likes", () => {
    const root = rootOf({ ["/a".repeat(2047)]: { content: "" } });
    expect(root.clone().entries()).toHaveLength(2047);
  });
});
