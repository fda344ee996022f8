import { describe, expect, test } from "vitest";
import { readAll } from "../store/verify.ts";
import { encodeTarHeader, tarEndSize } from "./encode.ts";
import type { TarHeader } from "./header.ts";
import { readTar } from "./read.ts";
import { writeTar } from "./write.ts";

const base: TarHeader = { path: "a", kind: "file", mode: 0o644, uid: 0, gid: 0, mtime: 0, size: 0 };

/** As the library writes it. */
async function written(header: TarHeader): Promise<Uint8Array> {
  const tar = await readAll(writeTar([{ header: { ...header, size: 0 } }]));
  return tar.subarray(0, tar.byteLength - tarEndSize);
}

describe("the same bytes as the library's", () => {
  const rows: [string, Partial<TarHeader>][] = [
    ["a file", {}],
    ["a mode of 0", { mode: 0 }],
    ["setuid, setgid and sticky", { mode: 0o7755 }],
    ["a directory", { path: "d/e", kind: "directory", mode: 0o1777 }],
    ["a symlink", { kind: "symlink", linkTarget: "../x", mode: 0o777 }],
    ["a symlink with a long target", { kind: "symlink", linkTarget: "y".repeat(300) }],
    ["a link target that is not ASCII", { kind: "symlink", linkTarget: "ü" }],
    ["a hard link", { kind: "hardlink", linkTarget: "b/c" }],
    ["a path of 100 bytes", { path: "p".repeat(100) }],
    ["a path of 101 bytes", { path: "p".repeat(101) }],
    ["a directory of 100 bytes", { path: "p".repeat(100), kind: "directory" }],
    ["a path that is not ASCII", { path: "日本/ü" }],
    ["a path with a newline and an equals sign", { path: "a\n12 path=b" }],
    ["an owner above what six octal digits hold", { uid: 262144, gid: 4294967294 }],
    ["a time after 2038", { mtime: 4102444800 }],
    ["a time before 1970", { mtime: -1 }],
    ["the last second of 32 bits", { mtime: 0x7fffffff }],
    ["a device", { kind: "character-device", deviceMajor: 1, deviceMinor: 3 }],
    ["a fifo", { kind: "fifo" }],
    ["extended attributes", { xattrs: { "user.x": Buffer.from("=\n\0v"), "user.a": Buffer.from("1") } }],
  ];
  test.each(rows)("%s", async (_, fields) => {
    const header = { ...base, ...fields };
    expect(Buffer.from(encodeTarHeader(header))).toEqual(Buffer.from(await written(header)));
  });

  test("paths of every length around where a record's own length gains a digit", async () => {
    for (const length of [1, 2, 3, 80, 81, 82, 83, 84, 85, 86, ...range(975, 1000), ...range(9970, 10_000)]) {
      const header = { ...base, path: `é${"x".repeat(length)}` };
      expect(Buffer.from(encodeTarHeader(header)).equals(await written(header)), String(length)).toBe(true);
    }
  });
});

test("a size of more than eleven octal digits stands in base 256 and in a record", () => {
  const bytes = Buffer.from(encodeTarHeader({ ...base, size: 2 ** 40 + 5 }));
  expect(bytes.toString("latin1", 512, 600)).toContain(`size=${2 ** 40 + 5}\n`);
  const ustar = bytes.subarray(-512);
  expect([ustar[124], ustar.readUIntBE(130, 6)]).toEqual([0x80, 2 ** 40 + 5]);
});

test("a device's numbers may have 20 bits", async () => {
  const device = { kind: "block-device", deviceMajor: 4095, deviceMinor: 2 ** 20 - 1 } as const;
  const bytes = Buffer.concat([encodeTarHeader({ ...base, ...device }), Buffer.alloc(tarEndSize)]);
  for await (const { header } of readTar(chunksOf(bytes))) expect(header).toMatchObject(device);
  expect.assertions(1);
});

test("an extended attribute may have any bytes, which the library's writer refuses", async () => {
  // cap_setuid=ep
  const capability = Buffer.from("0100000280000000000000000000000000000000", "hex");
  const header = { ...base, xattrs: { "security.capability": capability, "user.all": allBytes } };
  const bytes = Buffer.concat([encodeTarHeader(header), Buffer.alloc(tarEndSize)]);
  for await (const member of readTar(chunksOf(bytes))) {
    expect(Buffer.from(member.header.xattrs?.["security.capability"] ?? [])).toEqual(capability);
    expect(Buffer.from(member.header.xattrs?.["user.all"] ?? [])).toEqual(allBytes);
  }
  await expect(written(header)).rejects.toMatchObject({
    code: "TAR_INVALID",
    message: expect.stringContaining("security.capability"),
  });
  expect.assertions(3);
});

const allBytes = Buffer.from(range(0, 256));

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}
