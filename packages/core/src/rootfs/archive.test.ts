import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { readAll } from "@undocked/registry";
import { writeTar, type TarEntry, type TarHeader } from "@undocked/registry/tar";
import { describe, expect, test } from "vitest";
import { bytesContent, memoryTree, type MemoryFile } from "../context/memory-tree.ts";
import { walkTree } from "../context/source-tree.ts";
import type { Entry } from "../layer/entry.ts";
import { layerFiles } from "../layer/layer-files.ts";
import { layerTar } from "../layer/layer-tar.ts";
import { add, copy } from "./copy.ts";
import type { Owner } from "./owner.ts";
import { indexLayer } from "./index-layer.ts";
import { isArchive } from "./archive.ts";
import { emptyRootFs, type RootFs } from "./rootfs.ts";

function entry(path: string, fields: Partial<TarHeader> = {}, body = ""): TarEntry {
  const size = Buffer.byteLength(body);
  return {
    header: { path, kind: "file", mode: 0o644, uid: 11, gid: 22, mtime: 5, size, ...fields },
    ...(size === 0 ? {} : { body: Buffer.from(body) }),
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function rootOf(files: Readonly<Record<string, MemoryFile>>): RootFs {
  const root = emptyRootFs();
  const source = { kind: "path", tree: memoryTree(files), path: "." } as const;
  copy(root, { sources: [source], destination: "/", match: () => false, now: 0 });
  return root;
}

/** The layer of `ADD t.tar destination`. */
async function layerOf(
  root: RootFs,
  destination: string,
  entries: readonly TarEntry[],
  more: { owner?: Owner } = {},
): Promise<readonly Entry[]> {
  const tree = memoryTree({ "t.tar": gzipSync(await readAll(writeTar(entries))) });
  return add(root, {
    sources: [{ kind: "path", tree, path: "t.tar" }],
    destination,
    match: () => false,
    now: 0,
    archives: () => ({ open: (_, size) => bytesContent(Buffer.alloc(size, "x")) }),
    ...more,
  });
}

/** The image's paths after `ADD t.tar destination`, as the layer says them. */
async function added(...step: Parameters<typeof layerOf>): Promise<Record<string, string>> {
  const seen = step[0].clone();
  const content = { open: () => bytesContent(Buffer.alloc(0)) };
  const made = await layerOf(...step);
  seen.applyIndex(await indexLayer(layerTar(made)), content);
  return Object.fromEntries(
    [...walkTree(seen, "/")].map(({ path, node }) => [
      path,
      `${node.kind} ${node.mode.toString(8)} ${node.uid}:${node.gid}${node.linkTarget === undefined ? "" : ` -> ${node.linkTarget}`}`,
    ]),
  );
}

test("owners, modes and times are the archive's, missing parents are plain", async () => {
  expect(
    await added(emptyRootFs(), "/out", [
      entry("d/", { kind: "directory", mode: 0o700 }),
      entry("d/s", { mode: 0o4755 }),
      entry("x/y", { kind: "symlink", linkTarget: "/etc", mode: 0o777 }),
    ]),
  ).toEqual({
    "/out": "directory 755 0:0",
    "/out/d": "directory 700 11:22",
    "/out/d/s": "file 4755 11:22",
    "/out/x": "directory 755 0:0",
    "/out/x/y": "symlink 777 11:22 -> /etc",
  });
});

test.each(["./", ".", "a/..", "././"])("the member %s leaves the destination as it is", async (name) => {
  const there = { "/out": "directory 755 0:0", "/out/f": "file 644 11:22" };
  for (const kind of ["directory", "file"] as const)
    expect(await added(emptyRootFs(), "/out", [entry(name, { kind, mode: 0o700 }), entry("f")])).toEqual(
      there,
    );
});

test.each(["/", "..", "../.."])(
  "the member %s is the destination, and has to be a directory",
  async (name) => {
    const directory = entry(name, { kind: "directory", mode: 0o700 });
    expect(await added(emptyRootFs(), "/out", [directory])).toEqual({ "/out": "directory 700 11:22" });
    await expect(
      added(emptyRootFs(), "/out", [entry(name, { kind: "symlink", linkTarget: "f" })]),
    ).rejects.toThrow(expect.objectContaining({ code: "COPY_CONFLICT" }));
  },
);

test("a hard link to its own name has nothing to lead to", async () => {
  const entries = [entry("f"), entry("f", { kind: "hardlink", linkTarget: "f" })];
  await expect(added(emptyRootFs(), "/", entries)).rejects.toThrow("f is a hard link to f, which is not in");
});

test("--chown is for what the archive lists, not for the directories on the way", async () => {
  const seen = await added(emptyRootFs(), "/out", [entry("a"), entry("b/c")], { owner: { uid: 1, gid: 2 } });
  expect(seen).toEqual({
    "/out": "directory 755 1:2",
    "/out/a": "file 644 1:2",
    "/out/b": "directory 755 0:0",
    "/out/b/c": "file 644 1:2",
  });
});

test("what is in the way is replaced, and what was below does not come back", async () => {
  const root = rootOf({ "d/old": "x", f: "file", l: { kind: "symlink", linkTarget: "f" } });
  expect(
    await added(root, "/", [
      entry("d"),
      entry("d/", { kind: "directory", mode: 0o755 }),
      entry("d/new"),
      entry("f/", { kind: "directory", mode: 0o755 }),
      entry("l"),
    ]),
  ).toEqual({
    "/d": "directory 755 11:22",
    "/d/new": "file 644 11:22",
    "/f": "directory 755 11:22",
    "/l": "file 644 11:22",
  });
});

test("of a directory that gave way to a file nothing is left, also of what was in it twice", async () => {
  const entries = [entry("u"), entry("d/f"), entry("d/f"), entry("d", { kind: "hardlink", linkTarget: "u" })];
  const made = await layerOf(rootOf({ "d/old": "x" }), "/", entries);
  expect(made.map(({ kind, path }) => `${kind} ${path}`)).toEqual(["file d", "hardlink u"]);
});

test("the last header of a hard link decides owner, mode and time", async () => {
  const seen = await added(emptyRootFs(), "/o", [
    entry("a"),
    entry("b", { kind: "hardlink", linkTarget: "a", mode: 0o4755, uid: 33, gid: 44 }),
  ]);
  expect([seen["/o/a"], seen["/o/b"]]).toEqual(["file 4755 33:44", "file 4755 33:44"]);
});

test("every name of a file has what the last header of its links says", async () => {
  const link = { kind: "hardlink", linkTarget: "u" } as const;
  const archive = [
    entry("u"),
    entry("dot", { ...link, uid: 30 }),
    entry("foo", { ...link, uid: 20, mode: 0o444 }),
  ];
  expect(await added(emptyRootFs(), "/", archive)).toEqual({
    "/dot": "file 444 20:22",
    "/foo": "file 444 20:22",
    "/u": "file 444 20:22",
  });
});

test("a name that another file takes over is no longer one of the first's", async () => {
  const archive = [
    entry("a"),
    entry("b", { kind: "hardlink", linkTarget: "a", uid: 30 }),
    entry("a", { uid: 40 }),
    entry("c", { kind: "hardlink", linkTarget: "a", uid: 50 }),
  ];
  expect(await added(emptyRootFs(), "/", archive)).toEqual({
    "/a": "file 644 50:22",
    "/b": "file 644 30:22",
    "/c": "file 644 50:22",
  });
});

describe("an archive with several files of one name", () => {
  test.each([
    [
      "a hard link to the first keeps its bytes",
      [
        entry("a", {}, "12345678"),
        entry("b", { kind: "hardlink", linkTarget: "a" }),
        entry("a", {}, "x"),
        entry("secret", {}, "SECRET"),
      ],
      { a: "x", b: "12345678", secret: "SECRET" },
    ],
    [
      "a name that led elsewhere before leaves its bytes there",
      [
        entry("real", { kind: "directory" }),
        entry("s", { kind: "symlink", linkTarget: "real" }),
        entry("s/in", {}, "first"),
        entry("s", { kind: "directory" }),
        entry("s/in", {}, "second"),
      ],
      { "real/in": "first", "s/in": "second" },
    ],
  ] as const)("%s", async (_, entries, expected) => {
    const archive = gzipSync(await readAll(writeTar(entries)));
    const scratch = mkdtempSync(join(tmpdir(), "undocked-test-"));
    try {
      await using files = layerFiles(() => once(archive), { scratch });
      const made = await add(emptyRootFs(), {
        sources: [{ kind: "path", tree: memoryTree({ "t.tar": archive }), path: "t.tar" }],
        destination: "/",
        match: () => false,
        now: 0,
        archives: () => files,
      });
      const texts: Record<string, string> = {};
      for (const each of made) {
        if (each.kind === "file")
          texts[each.path] = Buffer.from(await readAll(each.content.stream())).toString();
      }
      expect(texts).toEqual(expected);
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });
});

test("20,000 links to one another are written once each", async () => {
  const archive = Array.from({ length: 20_000 }, (_, at) =>
    at === 0 ? entry("f0") : entry(`f${at}`, { kind: "hardlink", linkTarget: `f${at - 1}`, uid: at }),
  );
  const writes = { count: 0 };
  const root = emptyRootFs();
  const put = root.put.bind(root);
  root.put = (...given) => {
    writes.count += 1;
    put(...given);
  };
  const seen = await added(root, "/", archive);
  expect(seen["/f0"]).toBe("file 644 19999:22");
  expect(writes.count).toBeGreaterThan(20_000);
  expect(writes.count).toBeLessThan(80_000);
});

test("a hard link to a symlink leaves its mode", async () => {
  const seen = await added(emptyRootFs(), "/", [
    entry("l", { kind: "symlink", linkTarget: "x", mode: 0o777 }),
    entry("h", { kind: "hardlink", linkTarget: "l", mode: 0o444, uid: 9 }),
  ]);
  expect(seen["/h"]).toBe("symlink 777 9:22 -> x");
});

describe("path traversal", () => {
  test.each(["../../evil", "/evil", "a/../../../evil", "./../evil"])(
    "%s stays in the destination",
    async (path) => {
      expect(Object.keys(await added(emptyRootFs(), "/out", [entry(path)]))).toEqual(["/out", "/out/evil"]);
    },
  );

  test.each(["../../../../etc", "/etc"])("a link to %s leads inside the destination", async (linkTarget) => {
    const archive = [
      entry("etc/", { kind: "directory", mode: 0o755 }),
      entry("up", { kind: "symlink", linkTarget, mode: 0o777 }),
      entry("up/evil"),
    ];
    const seen = await added(rootOf({ "etc/passwd": "x" }), "/out", archive);
    expect(Object.keys(seen)).toEqual([
      "/etc",
      "/etc/passwd",
      "/out",
      "/out/etc",
      "/out/etc/evil",
      "/out/up",
    ]);
  });

  test("a link to what is not in the destination leads nowhere", async () => {
    const archive = [entry("up", { kind: "symlink", linkTarget: "/etc", mode: 0o777 }), entry("up/evil")];
    await expect(added(rootOf({ "etc/passwd": "x" }), "/out", archive)).rejects.toMatchObject({
      code: "COPY_CONFLICT",
      message: expect.stringContaining("open /up/evil: no such file or directory"),
    });
  });

  test("a hard link's way up ends at the destination", async () => {
    const seen = await added(rootOf({ a: "image" }), "/out", [
      entry("a"),
      entry("b", { kind: "hardlink", linkTarget: "../../a", mode: 0o600 }),
    ]);
    expect([seen["/a"], seen["/out/b"]]).toEqual(["file 644 0:0", "file 600 11:22"]);
  });

  test.each(["../secret", "missing"])("a hard link to %s is refused", async (linkTarget) => {
    const root = rootOf({ secret: "x" });
    await expect(added(root, "/out", [entry("a", { kind: "hardlink", linkTarget })])).rejects.toMatchObject({
      code: "COPY_CONFLICT",
    });
  });

  test("a member below a file is refused", async () => {
    await expect(added(emptyRootFs(), "/out", [entry("f"), entry("f/x")])).rejects.toMatchObject({
      code: "COPY_CONFLICT",
      message: expect.stringContaining("not a directory"),
    });
  });

  test.each([".wh.x", "d/.wh..wh..opq"])("a member named %s is refused", async (path) => {
    await expect(added(emptyRootFs(), "/out", [entry(path)])).rejects.toMatchObject({
      code: "COPY_NAME_RESERVED",
    });
  });
});

describe("an archive", () => {
  test("is one whose first header can be read", async () => {
    const tar = await readAll(writeTar([entry("a", {}, "body")]));
    expect(await isArchive(once(tar))).toBe(true);
    expect(await isArchive(once(gzipSync(tar)))).toBe(true);
    expect(await isArchive(once(tar.subarray(0, 600)))).toBe(true);
  });

  test.each([
    ["an empty tar", Buffer.alloc(1024)],
    ["an empty file", Buffer.alloc(0)],
    ["text", Buffer.from("text\n".repeat(1000))],
    ["a gzip of text", gzipSync("text")],
    ["a cut header", Buffer.from("ustar")],
  ])("is not %s", async (_, bytes) => {
    expect(await isArchive(once(bytes))).toBe(false);
  });
});

const longest = "a/".repeat(20_000);

test.each([
  ["path", entry(`${longest}f`)],
  ["link's target", entry("link", { kind: "symlink", linkTarget: longest })],
  ["hard link's target", entry("link", { kind: "hardlink", linkTarget: longest })],
])(
  "a %s that Linux would not take is refused",
  async (_, member) => {
    await expect(added(emptyRootFs(), "/", [member])).rejects.toMatchObject({ code: "TAR_INVALID" });
  },
  5000,
);
