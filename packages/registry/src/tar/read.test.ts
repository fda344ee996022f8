import { describe, expect, test } from "vitest";
import { UndockedError } from "../errors.ts";
import { readAll } from "../store/verify.ts";
import type { TarHeader } from "./header.ts";
import { beginsTar, readTar, type TarLimits } from "./read.ts";
import { writeTar } from "./write.ts";

interface RawFields {
  name?: string;
  mode?: string;
  uid?: string | Uint8Array;
  size?: number | string | Uint8Array;
  type?: string;
  link?: string;
  magic?: string;
  prefix?: string;
  checksum?: string;
}

/** A header block as no honest writer makes it. */
function block(fields: RawFields): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.write(fields.name ?? "f", 0);
  bytes.write(fields.mode ?? "0000644\0", 100);
  put(bytes, fields.uid ?? "0000000\0", 108);
  bytes.write("0000000\0", 116);
  const size = fields.size ?? 0;
  put(bytes, typeof size === "number" ? size.toString(8).padStart(11, "0") + "\0" : size, 124);
  bytes.write("00000000000\0", 136);
  bytes.write(fields.type ?? "0", 156);
  bytes.write(fields.link ?? "", 157);
  bytes.write(fields.magic ?? "ustar\u000000", 257);
  bytes.write(fields.prefix ?? "", 345);
  bytes.fill(" ", 148, 156);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(fields.checksum ?? sum.toString(8).padStart(6, "0") + "\0 ", 148);
  return bytes;
}

function put(bytes: Buffer, value: string | Uint8Array, at: number): void {
  if (typeof value === "string") bytes.write(value, at);
  else bytes.set(value, at);
}

function padded(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 511)]);
}

function meta(type: string, text: string): Buffer {
  return Buffer.concat([block({ name: "meta", type, size: Buffer.byteLength(text) }), padded(text)]);
}

function pax(...records: [string, string][]): Buffer {
  return meta("x", records.map(([key, value]) => record(key, value)).join(""));
}

function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest) + 1;
  while (String(length).length + Buffer.byteLength(rest) !== length) length++;
  return `${length}${rest}`;
}

const END = Buffer.alloc(1024);

async function* chunked(bytes: Uint8Array, length = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += length) yield bytes.subarray(at, at + length);
}

async function members(parts: Uint8Array[], limits?: TarLimits): Promise<(TarHeader & { body: string })[]> {
  const found = [];
  for await (const { header, body } of readTar(chunked(Buffer.concat(parts)), limits)) {
    found.push({ ...header, body: Buffer.from(await readAll(body)).toString() });
  }
  return found;
}

describe("reads", () => {
  test("ustar's prefix, and not GNU's, which holds times", async () => {
    const [posix, gnu] = await members([
      block({ name: "b", prefix: "a" }),
      block({ name: "c", prefix: "123", magic: "ustar  \0" }),
      END,
    ]);
    expect([posix?.path, gnu?.path]).toEqual(["a/b", "c"]);
  });

  test("GNU long names and link targets", async () => {
    const long = "n".repeat(300);
    const [member] = await members([
      meta("L", `${long}\0`),
      meta("K", `${long}/t\0`),
      block({ name: "short", type: "2", link: "x", magic: "ustar  \0" }),
      END,
    ]);
    expect(member).toMatchObject({ path: long, linkTarget: `${long}/t`, kind: "symlink" });
  });

  test("base-256 numbers", async () => {
    const uid = Buffer.from([0x80, 0, 0, 0, 0, 0x30, 0, 0]);
    const [member] = await members([block({ uid }), END]);
    expect(member?.uid).toBe(0x300000);
  });

  test("a pax size over a header's size of 0", async () => {
    const [member, next] = await members([
      pax(["size", "5"]),
      block({}),
      padded("hello"),
      block({ name: "g" }),
      END,
    ]);
    expect(member?.body).toBe("hello");
    expect(next?.path).toBe("g");
  });

  test("times with a fraction, rounded down", async () => {
    const found = await members([
      pax(["mtime", "12.999"]),
      block({}),
      pax(["mtime", "-1.5"]),
      block({}),
      END,
    ]);
    expect(found.map(({ mtime }) => mtime)).toEqual([12, -2]);
  });

  test("extended attributes as bytes", async () => {
    const [member] = await members([
      pax(["SCHILY.xattr.security.capability", "\u0001\0\0\u0002"]),
      block({}),
      END,
    ]);
    expect([...(member?.xattrs?.["security.capability"] ?? [])]).toEqual([1, 0, 0, 2]);
  });

  test("links and devices that claim a size as members without a body, as runtimes do", async () => {
    const found = await members([
      block({ type: "2", size: 1024, link: "t" }),
      block({ type: "5", name: "d/", size: 9 }),
      block({ name: "g" }),
      END,
    ]);
    expect(found.map(({ path, size }) => [path, size])).toEqual([
      ["f", 0],
      ["d", 0],
      ["g", 0],
    ]);
  });

  test("a pax record for the next member only, and a global one for none", async () => {
    const found = await members([
      meta("g", record("path", "global")),
      pax(["path", "renamed"]),
      block({}),
      block({}),
      END,
    ]);
    expect(found.map(({ path }) => path)).toEqual(["renamed", "f"]);
  });

  test("an archive without end marker, and nothing behind an end marker", async () => {
    expect(await members([block({})])).toHaveLength(1);
    expect(await members([block({}), END, Buffer.from("rubbish")])).toHaveLength(1);
    expect(await members([])).toEqual([]);
  });

  test("members whose bodies nobody reads", async () => {
    const paths = [];
    const bytes = Buffer.concat([block({ size: 3000 }), Buffer.alloc(3072), block({ name: "g" }), END]);
    for await (const { header } of readTar(chunked(bytes, 7))) paths.push(header.path);
    expect(paths).toEqual(["f", "g"]);
  });
});

describe("the bytes of a body", () => {
  const bytes = Buffer.concat([
    block({ name: "a", size: 5 }),
    padded("hello"),
    block({ name: "b", size: 700 }),
    Buffer.alloc(1024, "b"),
    block({ name: "c" }),
    END,
  ]);

  async function bodies(length: number): Promise<[string, number | undefined, number][]> {
    const found: [string, number | undefined, number][] = [];
    for await (const { header, bytes: here, body } of readTar(chunked(bytes, length)))
      found.push([header.path, here?.byteLength, (await readAll(body)).byteLength]);
    return found;
  }

  test("are given where all of them are in memory, and come with the body all the same", async () => {
    expect(await bodies(bytes.byteLength)).toEqual([
      ["a", 5, 5],
      ["b", 700, 700],
      ["c", 0, 0],
    ]);
  });

  test("are not given where a chunk ends within", async () => {
    expect((await bodies(515)).map(([path, here]) => [path, here])).toEqual([
      ["a", undefined],
      ["b", undefined],
      ["c", 0],
    ]);
  });
});

test.each([
  ["0000644\0", 0o644],
  ["0000644 ", 0o644],
  ["00000644", 0o644],
  ["   644 \0", 0o644],
  ["644\0 xyz", 0o644],
  ["644 \0  \0", 0o644],
  ["\0\0\0\0\0\0\0\0", 0],
  ["        ", 0],
  ["64 4    ", undefined],
  ["648\0    ", undefined],
])("the number %j is %s", async (mode, value) => {
  const [found] = await members([block({ mode }), END]).catch(() => []);
  expect(found?.mode).toBe(value);
});

// Writers that never close what they write leave it away, and the runtimes' readers take it.
test.each([0, 1, 510])(
  "after the last member, %i of its 511 bytes of padding are enough",
  async (padding) => {
    const cut = Buffer.concat([block({ size: 1 }), Buffer.from("x"), Buffer.alloc(padding)]);
    expect(await members([block({}), cut])).toHaveLength(2);
    expect((await members([cut])).map(({ size }) => size)).toEqual([1]);
  },
);

describe("refuses", () => {
  const rows: [string, Uint8Array[], TarLimits?][] = [
    ["a body that is cut off", [block({ size: 1000 }), Buffer.alloc(500)]],
    ["a header that is cut off", [block({}).subarray(0, 300)]],
    ["padding of records that is cut off", [meta("x", record("path", "x")).subarray(0, 600)]],
    ["records with no member after them", [pax(["path", "x"]), END]],
    ["a wrong checksum", [block({ checksum: "0000001\0" }), END]],
    ["a text file", [Buffer.from("#!/bin/sh\n".repeat(100))]],
    ["a zero block between members", [block({}), Buffer.alloc(512), block({}), END]],
    ["a size that is no number", [block({ size: "9zz\0" }), END]],
    ["a negative size", [block({ size: Buffer.alloc(12, 0xff) }), END]],
    [
      "a size beyond 2^53",
      [block({ size: Buffer.from([0x80, 0, 0, 0, 0xff, 255, 255, 255, 255, 255, 255, 255]) }), END],
    ],
    ["a negative owner", [block({ uid: Buffer.alloc(8, 0xff) }), END]],
    ["a sparse file of GNU's old form", [block({ type: "S" }), END]],
    ["a sparse map without its count", [pax(["GNU.sparse.map", "0,5"]), block({ size: 5 }), padded("hello")]],
    ["a sparse map longer than its count", [sparse("0,5,6,1", 1, 9), block({ size: 5 }), padded("hello")]],
    ["a sparse map beyond the file's size", [sparse("0,5", 1, 4), block({ size: 5 }), padded("hello")]],
    ["a sparse map that runs backwards", [sparse("3,2,0,3", 2, 9), block({ size: 5 }), padded("hello")]],
    ["a sparse map whose parts overlap", [sparse("0,3,2,2", 2, 9), block({ size: 5 }), padded("hello")]],
    ["a sparse map of no numbers", [sparse("0,-5", 1, 9), block({ size: 5 }), padded("hello")]],
    [
      "a sparse map that says more than the body has",
      [sparse("0,6", 1, 9), block({ size: 5 }), padded("hello")],
    ],
    [
      "a sparse map that says less than the body has",
      [sparse("0,4", 1, 9), block({ size: 5 }), padded("hello")],
    ],
    ["a sparse directory", [sparse("0,0", 1, 9), block({ type: "5" }), END]],
    [
      "a sparse file larger than the limit",
      [sparse("0,5", 1, 9000), block({ size: 5 }), padded("hello")],
      { total: 8000 },
    ],
    [
      "a sparse map without end",
      [
        pax(["GNU.sparse.major", "1"], ["GNU.sparse.minor", "0"]),
        block({ size: 1024 }),
        padded("9\n1\n".padEnd(1024, "1\n")),
      ],
    ],
    [
      "a sparse part without its length",
      [pax(["GNU.sparse.offset", "1"], ["GNU.sparse.offset", "2"]), block({}), END],
    ],
    ["an unknown type", [block({ type: "V" }), END]],
    ["a member without a name", [block({ name: "\0" }), END]],
    ["a pax record with a negative length", [meta("x", "-9 path=abc\n"), block({}), END]],
    ["a pax record longer than its block", [meta("x", "99 path=abc\n"), block({}), END]],
    ["a pax record without an equals sign", [meta("x", "9 pathab\n"), block({}), END]],
    ["a pax record without its newline", [meta("x", "10 path=abc"), block({}), END]],
    ["a pax record of length 0", [meta("x", "0 a=b\n"), block({}), END]],
    ["a pax path with a NUL", [pax(["path", "a\0b"]), block({}), END]],
    ["a pax size that is no number", [pax(["size", "1e3"]), block({}), END]],
    ["a header record beyond the limit", [block({ type: "x", size: 2 ** 30 }), END]],
    ["headers without end", Array.from({ length: 40 }, () => pax(["path", "x"]))],
    ["more members than the limit", Array.from({ length: 11 }, () => block({})), { members: 10 }],
    ["more bytes than the limit", [block({ size: 10_000 }), Buffer.alloc(10_240), END], { total: 5000 }],
  ];
  test.each(rows)("%s", async (_, parts, limits) => {
    await expect(members(parts, limits)).rejects.toMatchObject({ name: "FormatError", code: "TAR_INVALID" });
  });
});

/** The records of a sparse file of version 0.1. */
function sparse(map: string, parts: number, size: number): Buffer {
  return pax(["GNU.sparse.map", map], ["GNU.sparse.numblocks", `${parts}`], ["GNU.sparse.size", `${size}`]);
}

describe("reads sparse files of pax", () => {
  const hole = "\0".repeat(600);
  const rows: readonly (readonly [string, readonly Buffer[], string])[] = [
    [
      "version 0.1",
      [sparse("0,2,602,3", 2, 705), block({ size: 5 }), padded("hello")],
      `he${hole}llo${"\0".repeat(100)}`,
    ],
    [
      "version 0.0, whose records repeat",
      [
        pax(
          ["GNU.sparse.size", "605"],
          ["GNU.sparse.numblocks", "2"],
          ["GNU.sparse.offset", "0"],
          ["GNU.sparse.numbytes", "2"],
          ["GNU.sparse.offset", "602"],
          ["GNU.sparse.numbytes", "3"],
        ),
        block({ size: 5 }),
        padded("hello"),
      ],
      `he${hole}llo`,
    ],
    [
      "version 1.0, whose map is in the body",
      [
        pax(["GNU.sparse.major", "1"], ["GNU.sparse.minor", "0"], ["GNU.sparse.realsize", "605"]),
        block({ size: 517 }),
        padded("2\n0\n2\n602\n3\n"),
        padded("hello"),
      ],
      `he${hole}llo`,
    ],
    ["one hole", [sparse("0,0", 1, 600), block({}), Buffer.alloc(0)], hole],
    [
      "an unknown version as it stands",
      [pax(["GNU.sparse.major", "2"]), block({ size: 5 }), padded("hello")],
      "hello",
    ],
  ];
  test.each(rows)("%s", async (_, parts, expected) => {
    const found = await members([...parts, block({ name: "next" }), END]);
    expect(found.map(({ path, size, body }) => [path, size, body])).toEqual([
      ["f", expected.length, expected],
      ["next", 0, ""],
    ]);
  });

  test("their name is that of the sparse file, before the records' path", async () => {
    const parts = [
      pax(
        ["path", "GNUSparseFile.0/f"],
        ["GNU.sparse.name", "real"],
        ["GNU.sparse.map", "0,0"],
        ["GNU.sparse.numblocks", "1"],
      ),
      block({}),
      END,
    ];
    expect((await members(parts)).map(({ path }) => path)).toEqual(["real"]);
  });

  test("whose bodies nobody reads", async () => {
    const bytes = Buffer.concat([
      sparse("5,3000", 1, 9000),
      block({ size: 3000 }),
      Buffer.alloc(3072),
      block({ name: "g" }),
      END,
    ]);
    const paths = [];
    for await (const { header } of readTar(chunked(bytes, 7))) paths.push(header.path);
    expect(paths).toEqual(["f", "g"]);
  });
});

describe("a tar begins", () => {
  test.each([
    ["with a file", [block({})], true],
    ["with a header of an unknown type", [block({ type: "V" })], true],
    ["with a sparse file of GNU's old form", [block({ type: "S" })], true],
    ["with global records", [meta("g", record("comment", "x")), END], true],
    ["with records and their member", [pax(["path", "x"]), block({})], true],
    ["not with its end", [END], false],
    ["not with nothing", [], false],
    ["not with text", [Buffer.from("#!/bin/sh\n".repeat(100))], false],
    ["not with a map that cannot be true", [sparse("0,5", 1, 4), block({ size: 5 })], false],
    ["not with half a header", [block({}).subarray(0, 300)], false],
  ] as const)("%s", async (_, parts, expected) => {
    expect(await beginsTar(chunked(Buffer.concat(parts), 100))).toBe(expected);
  });
});

test("mutated tars end in members or a FormatError", async () => {
  const good = await readAll(
    writeTar([
      { header: { path: "d", kind: "directory", mode: 0o755, uid: 0, gid: 0, mtime: 0, size: 0 } },
      {
        header: { path: "d/ü", kind: "file", mode: 0o644, uid: 300000, gid: 0, mtime: 0, size: 700 },
        body: Buffer.alloc(700, 65),
      },
      {
        header: {
          path: "l",
          kind: "symlink",
          mode: 0o777,
          uid: 0,
          gid: 0,
          mtime: 0,
          size: 0,
          linkTarget: "d",
        },
      },
    ]),
  );
  let seed = 20_261_121;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return seed % below;
  };
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.from(good);
    for (let change = random(4); change >= 0; change--) {
      const at = random(bytes.length);
      bytes[at] = random(256);
      // Half of them get a checksum that fits again, to come past the first check.
      if (round % 2 === 0) resum(bytes, at - (at % 512));
    }
    const cut = random(5) === 0 ? random(bytes.length) : bytes.length;
    try {
      await members([bytes.subarray(0, cut)]);
    } catch (error) {
      if (!(error instanceof UndockedError)) throw error;
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(300);
});

function resum(bytes: Buffer, at: number): void {
  const header = bytes.subarray(at, at + 512);
  header.fill(" ", 148, 156);
  header.write(
    header
      .reduce((total, byte) => total + byte, 0)
      .toString(8)
      .padStart(6, "0") + "\0 ",
    148,
  );
}
