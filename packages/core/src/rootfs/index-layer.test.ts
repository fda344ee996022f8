import { gzipSync } from "node:zlib";
import { digestOf, readAll } from "@undocked/registry";
import { writeTar, type TarEntry, type TarHeader } from "@undocked/registry/tar";
import { describe, expect, test } from "vitest";
import { entryBudget } from "./entry-budget.ts";
import { indexLayer } from "./index-layer.ts";

function entry(path: string, fields: Partial<TarHeader> = {}, body?: string): TarEntry {
  const size = Buffer.byteLength(body ?? "");
  return {
    header: { path, kind: "file", mode: 0o644, uid: 0, gid: 0, mtime: 0, size, ...fields },
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function tarOf(...entries: TarEntry[]): Promise<Uint8Array> {
  return readAll(writeTar(entries));
}

test("keeps what the headers say, and leaves out what is usual", async () => {
  const { entries } = await indexLayer(
    once(
      await tarOf(
        entry("./", { kind: "directory", mode: 0o755 }),
        entry("usr/bin/", { kind: "directory", mode: 0o755, uid: 3 }),
        entry("bin", { kind: "symlink", linkTarget: "usr/bin", mode: 0o777 }),
        entry("usr/bin/a", { mtime: 9 }, "12345"),
        entry("usr/bin/b", { kind: "hardlink", linkTarget: "./usr/bin/a", mode: 0 }),
        entry("x", { xattrs: { "user.a": Buffer.from("b") } }),
      ),
    ),
  );
  expect(entries).toEqual([
    { path: "/", kind: "directory", mode: 0o755 },
    { path: "/usr/bin", kind: "directory", mode: 0o755, uid: 3 },
    { path: "/bin", kind: "symlink", mode: 0o777, linkTarget: "usr/bin" },
    { path: "/usr/bin/a", kind: "file", mode: 0o644, mtime: 9, size: 5 },
    { path: "/usr/bin/b", kind: "hardlink", linkTarget: "/usr/bin/a" },
    { path: "/x", kind: "file", mode: 0o644, xattrs: { "user.a": "Yg==" } },
  ]);
});

test("whiteouts are told from files, and tools' own marks are left out", async () => {
  const { entries } = await indexLayer(
    once(await tarOf(entry("a/.wh.b"), entry("a/.wh..wh..opq"), entry(".wh..wh.plnk"), entry(".wh."))),
  );
  expect(entries).toEqual([
    { path: "/a/b", kind: "whiteout" },
    { path: "/a", kind: "opaque" },
  ]);
});

test("names that would leave the root stay in it", async () => {
  const { entries } = await indexLayer(once(await tarOf(entry("../../etc/x"), entry("/abs"))));
  expect(entries.map(({ path }) => path)).toEqual(["/etc/x", "/abs"]);
});

test("the files that later questions need are kept, the last of a name", async () => {
  const { files } = await indexLayer(
    once(
      await tarOf(
        entry("etc/passwd", {}, "first"),
        entry("etc/passwd", {}, "second"),
        entry("etc/ld.so.conf.d/x.conf", {}, "/opt"),
        entry("etc/shadow", {}, "no"),
        entry("etc/group", {}, "g".repeat(1024 * 1024)),
      ),
    ),
  );
  expect(files).toEqual({
    "/etc/passwd": Buffer.from("second").toString("base64"),
    "/etc/ld.so.conf.d/x.conf": Buffer.from("/opt").toString("base64"),
  });
});

test("files of one path are told apart by how many come before", async () => {
  const { entries } = await indexLayer(
    once(
      await tarOf(
        entry("a", {}, "1"),
        entry("b", { kind: "hardlink", linkTarget: "a" }),
        entry("a", { kind: "directory" }),
        entry("./a", {}, "2"),
        entry("/a", {}, "3"),
      ),
    ),
  );
  expect(entries.map(({ path, earlier }) => [path, earlier])).toEqual([
    ["/a", undefined],
    ["/b", undefined],
    ["/a", undefined],
    ["/a", 1],
    ["/a", 2],
  ]);
});

test("the DiffID is of the whole tar, behind its end mark too", async () => {
  const tar = Buffer.concat([await tarOf(entry("a", {}, "1")), Buffer.alloc(9000, "x")]);
  const { diffId } = await indexLayer(once(gzipSync(tar)));
  expect(diffId).toBe(digestOf(tar));
});

test("an error at the blob's very end is not missed", async () => {
  async function* wrong(): AsyncGenerator<Uint8Array> {
    yield await tarOf(entry("a"));
    throw new Error("digest");
  }
  await expect(indexLayer(wrong())).rejects.toThrow("digest");
});

test("a collector sees each file and its facts are kept", async () => {
  const index = await indexLayer(
    once(await tarOf(entry("a", {}, "elf"), entry("b", {}, "no"), entry("d", { kind: "fifo" }))),
    {
      collector: {
        id: "test-1",
        async collect(path, { header, body }) {
          const text = Buffer.from(await readAll(body)).toString();
          return text === "elf" ? { path, size: header.size } : undefined;
        },
      },
    },
  );
  expect(index.collector).toBe("test-1");
  expect(index.entries.map(({ facts }) => facts)).toEqual([{ path: "/a", size: 3 }, undefined, undefined]);
});

test.each([
  ["a tar that is cut off", gzipSync(Buffer.alloc(300, "x")), "TAR_INVALID"],
  ["content that is cut off", gzipSync(Buffer.alloc(2048)).subarray(0, 15), "LAYER_INVALID"],
])("%s is told with the layer's name, code and hint", async (_, bytes, code) => {
  const bare: unknown = await indexLayer(once(bytes)).catch((error: unknown) => error);
  const named: unknown = await indexLayer(once(bytes), { name: "Layer 2 of base" }).catch(
    (error: unknown) => error,
  );
  expect(bare).toMatchObject({ code });
  expect(named).toMatchObject({ code, hint: (bare as { hint?: string }).hint, cause: bare });
  expect(named).toHaveProperty("message", `Layer 2 of base cannot be read: ${(bare as Error).message}`);
});

describe("attacks", () => {
  test("a gzip bomb is stopped at the limit", async () => {
    const bomb = gzipSync(
      Buffer.concat([
        (await tarOf(entry("big", {}, "x".repeat(50 * 1024 * 1024)))).subarray(0, 512),
        Buffer.alloc(50 * 1024 * 1024),
      ]),
    );
    await expect(indexLayer(once(bomb), { limits: { total: 10 * 1024 * 1024 } })).rejects.toMatchObject({
      code: "TAR_INVALID",
    });
  });

  test("members without end are stopped at the limit", async () => {
    const one = (await tarOf(entry("a"))).subarray(0, 512);
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) yield one;
    }
    await expect(indexLayer(endless(), { limits: { members: 1000 } })).rejects.toMatchObject({
      code: "TAR_INVALID",
    });
  });

  test("layers that are read together stop at the sum of their entries", async () => {
    const one = (await tarOf(entry("a"))).subarray(0, 512);
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) yield one;
    }
    const spent = new Error("too many in all");
    const budget = entryBudget(1000, () => spent);
    const read = [0, 1, 2].map((layer) =>
      indexLayer(endless(), { onEntry: (entries) => budget.note(layer, entries) }),
    );
    for (const layer of read) await expect(layer).rejects.toBe(spent);
    expect(budget.isSpent).toBe(true);
  });

  test("a layer that is read anew counts once", () => {
    const budget = entryBudget(10, () => new Error("too many in all"));
    for (let time = 0; time < 5; time++)
      for (let entries = 1; entries <= 5; entries++) [0, 1].map((layer) => budget.note(layer, entries));
    expect(budget.isSpent).toBe(false);
    expect(() => budget.note(2, 1)).toThrow("too many");
  });

  test("a path deeper than any file system has is refused", async () => {
    const tar = await tarOf(entry("a/".repeat(5000) + "x"));
    await expect(indexLayer(once(tar))).rejects.toMatchObject({ code: "LAYER_INVALID" });
  });

  test.each(["d/.wh..", "d/.wh...", ".wh.."])(
    "the whiteout %s names no file, and is refused",
    async (path) => {
      await expect(indexLayer(once(await tarOf(entry(path))))).rejects.toMatchObject({
        code: "LAYER_INVALID",
        message: `The layer has a whiteout that names no file: /${path}.`,
      });
    },
  );

  test("a layer that is cut off is refused", async () => {
    const blob = gzipSync(await tarOf(entry("a", {}, "x".repeat(100_000))));
    await expect(indexLayer(once(blob.subarray(0, blob.byteLength / 2)))).rejects.toMatchObject({
      code: "LAYER_INVALID",
    });
  });

  test("names from JavaScript's own objects are names", async () => {
    const { entries } = await indexLayer(
      once(await tarOf(entry("__proto__/constructor"), entry("toString"))),
    );
    expect(entries.map(({ path }) => path)).toEqual(["/__proto__/constructor", "/toString"]);
  });
});

const longest = "a/".repeat(20_000);

test.each([
  ["path", entry(`${longest}f`)],
  ["link's target", entry("link", { kind: "symlink", linkTarget: longest })],
])("a %s that Linux would not take is refused", async (_, member) => {
  await expect(indexLayer(once(await tarOf(member)))).rejects.toMatchObject({ code: "LAYER_INVALID" });
});
