import { describe, expect, test } from "vitest";
import { digestOf } from "../oci/digest.ts";
import { readAll } from "../store/verify.ts";
import type { TarEntry, TarHeader } from "./header.ts";
import { readTar } from "./read.ts";
import { writeTar } from "./write.ts";

const base: TarHeader = { path: "a", kind: "file", mode: 0o644, uid: 0, gid: 0, mtime: 0, size: 0 };

async function roundTrip(...entries: TarEntry[]): Promise<{ header: TarHeader; body: string }[]> {
  const members = [];
  for await (const { header, body } of readTar(writeTar(entries))) {
    members.push({ header, body: Buffer.from(await readAll(body)).toString("latin1") });
  }
  return members;
}

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

describe("what is written reads back as it was given", () => {
  const rows: [string, Partial<TarHeader>][] = [
    ["a mode of 0", { mode: 0 }],
    ["setuid, setgid and sticky", { mode: 0o7755 }],
    ["a directory", { path: "d/e", kind: "directory", mode: 0o1777 }],
    ["a symlink", { kind: "symlink", linkTarget: "../x", mode: 0o777 }],
    ["a symlink to itself with a long target", { kind: "symlink", linkTarget: "y".repeat(300) }],
    ["a link target that is not ASCII", { kind: "symlink", linkTarget: "ü" }],
    ["a hard link", { kind: "hardlink", linkTarget: "b/c" }],
    ["a path of 100 bytes", { path: "p".repeat(100) }],
    ["a path of 101 bytes", { path: "p".repeat(101) }],
    ["a directory of 100 bytes", { path: "p".repeat(100), kind: "directory" }],
    ["a path of 5,000 bytes", { path: "long/".repeat(999) + "x" }],
    ["a path that is not ASCII", { path: "日本/ü" }],
    ["a path with a newline and an equals sign", { path: "a\n12 path=b" }],
    ["an owner above what six octal digits hold", { uid: 262144, gid: 4294967294 }],
    ["a time after 2038", { mtime: 4102444800 }],
    ["a time before 1970", { mtime: -1 }],
    ["the last second of 32 bits", { mtime: 0x7fffffff }],
    ["a device", { kind: "character-device", deviceMajor: 1, deviceMinor: 3 }],
    ["a fifo", { kind: "fifo" }],
    ["an extended attribute", { xattrs: { "user.x": Buffer.from("=\n\0v") } }],
  ];
  test.each(rows)("%s", async (_, fields) => {
    const header = { ...base, ...fields };
    const [member] = await roundTrip({ header });
    expect({ ...member?.header, xattrs: undefined }).toEqual({ ...header, xattrs: undefined });
    expect(Object.keys(member?.header.xattrs ?? {})).toEqual(Object.keys(header.xattrs ?? {}));
    for (const [key, value] of Object.entries(header.xattrs ?? {})) {
      expect(Buffer.from(member?.header.xattrs?.[key] ?? [])).toEqual(value);
    }
  });

  test("bodies in one piece, in several and of no length stand beside each other", async () => {
    const members = await roundTrip(
      { header: { ...base, path: "one", size: 3 }, body: Buffer.from("abc") },
      { header: { ...base, path: "none" } },
      { header: { ...base, path: "empty" }, body: pieces() },
      { header: { ...base, path: "many", size: 1025 }, body: pieces("x".repeat(1000), "", "y".repeat(25)) },
      { header: { ...base, path: "last", size: 512 }, body: Buffer.alloc(512, 122) },
    );
    expect(members.map(({ header, body }) => [header.path, body.length])).toEqual([
      ["one", 3],
      ["none", 0],
      ["empty", 0],
      ["many", 1025],
      ["last", 512],
    ]);
  });
});

test("the header that is given is not written into", async () => {
  const header = Object.freeze({ ...base, mode: 0 });
  await roundTrip({ header });
  expect(header).toEqual({ ...base, mode: 0 });
});

test("a golden tar keeps its bytes", async () => {
  const bytes = await readAll(
    writeTar([
      { header: { ...base, path: "d", kind: "directory", mode: 0o755 } },
      { header: { ...base, path: "d/f", size: 5, mode: 0 }, body: Buffer.from("hello") },
      {
        header: { ...base, path: "d/ü", size: 5, uid: 300000, mtime: 4102444800 },
        body: Buffer.from("hello"),
      },
      { header: { ...base, path: "s", kind: "symlink", linkTarget: "d/f", mode: 0o777 } },
    ]),
  );
  expect(bytes.byteLength % 512).toBe(0);
  expect(digestOf(bytes)).toMatchInlineSnapshot(
    `"sha256:3443fe3f6cbf48a058b19f1809f683c6473081c5a1ece2e576e6b1de5ae312bc"`,
  );
});

test.each([
  ["a body in one piece that is too short", Buffer.from("ab")],
  ["a body in one piece that is too long", Buffer.from("abcd")],
  ["a streamed body that is too short", pieces("a", "b")],
  ["a streamed body that is too long", pieces("ab", "cd")],
  ["no body", undefined],
])("%s is refused", async (_, body) => {
  const entry: TarEntry = {
    header: { ...base, path: "grown", size: 3 },
    ...(body === undefined ? {} : { body }),
  };
  await expect(readAll(writeTar([entry]))).rejects.toMatchObject({
    code: "TAR_INVALID",
    message: expect.stringContaining("grown"),
  });
});

test("an error of a body's source comes out unchanged", async () => {
  const broken = new Error("disk");
  async function* body(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(100_000);
    throw broken;
  }
  await expect(readAll(writeTar([{ header: { ...base, size: 200_000 }, body: body() }]))).rejects.toBe(
    broken,
  );
});

test("a reader that stops early ends the entries and their bodies", async () => {
  const ended: string[] = [];
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield Buffer.alloc(65_536);
    } finally {
      ended.push("body");
    }
  }
  async function* entries(): AsyncGenerator<TarEntry> {
    try {
      yield { header: { ...base, size: 2 ** 40 }, body: body() };
    } finally {
      ended.push("entries");
    }
  }
  let seen = 0;
  for await (const chunk of writeTar(entries())) {
    seen += chunk.byteLength;
    if (seen > 1_000_000) break;
  }
  expect(ended).toEqual(["body", "entries"]);
});
