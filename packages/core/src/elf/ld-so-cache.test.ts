import { describe, expect, test } from "vitest";
import { cacheFlags, parseLdSoCache } from "./ld-so-cache.ts";

const libraries = [
  ["libz.so.1", "/lib/x86_64-linux-gnu/libz.so.1", 0x303],
  ["libz.so.1", "/lib/i386-linux-gnu/libz.so.1", 0x3],
] as const;

describe.each(["little", "big"] as const)("a cache in %s-endian order", (endian) => {
  test("gives its entries", () => {
    expect(parseLdSoCache(buildCache(endian), endian)).toEqual(
      libraries.map(([name, path, flags]) => ({ name, path, flags })),
    );
  });

  test("may stand behind an old one", () => {
    const old = Buffer.alloc(16 + 12 * 3 + 4);
    old.write("ld.so-1.7.0\0");
    if (endian === "little") old.writeUInt32LE(3, 12);
    else old.writeUInt32BE(3, 12);
    const both = Buffer.concat([old, buildCache(endian)]);
    expect(parseLdSoCache(both, endian)).toHaveLength(2);
  });

  test("is none for the other order", () => {
    expect(parseLdSoCache(buildCache(endian), endian === "little" ? "big" : "little")).toBeUndefined();
  });

  test("is none when it is cut in its entries, and keeps what it can when in its names", () => {
    const cache = buildCache(endian);
    expect(parseLdSoCache(cache.subarray(0, 80), endian)).toBeUndefined();
    expect(parseLdSoCache(cache.subarray(0, cache.byteLength - 5), endian)).toHaveLength(1);
  });

  test("an entry for some processors says for which", () => {
    const cache = buildCache(endian, "x86-64-v3");
    expect(parseLdSoCache(cache, endian)?.map(({ hwcap }) => hwcap)).toEqual(["x86-64-v3", undefined]);
  });
});

test.each([
  ["nothing", Buffer.alloc(0)],
  ["text", Buffer.from("text")],
  ["a count beyond all", Buffer.from(buildCache("little").fill(0xff, 20, 24))],
])("%s is no cache", (_, bytes) => {
  expect(parseLdSoCache(bytes, "little")).toBeUndefined();
});

test("each machine takes its own entries", () => {
  expect(cacheFlags("amd64", { softFloat: false })).toEqual([0x303]);
  expect(cacheFlags("arm", { softFloat: true })).toContain(0xb03);
  expect(cacheFlags("arm", { softFloat: false })).toContain(0x903);
  expect(cacheFlags("vax", { softFloat: false })).toEqual([]);
});

/** As ldconfig of glibc 2.32 and later writes it. */
function buildCache(endian: "little" | "big", hwcap?: string): Buffer {
  const strings: number[] = [];
  const head = 48 + 24 * libraries.length;
  const add = (text: string): number => {
    const at = head + strings.length;
    strings.push(...Buffer.from(`${text}\0`));
    return at;
  };
  const entries = libraries.map(([name, path, flags]) => [flags, add(name), add(path)] as const);
  const capability = hwcap === undefined ? 0 : add(hwcap);
  const extension = Math.ceil((head + strings.length) / 4) * 4;
  const cache = Buffer.alloc(extension + (hwcap === undefined ? 0 : 28));
  const u32 = (value: number, at: number): number =>
    endian === "little" ? cache.writeUInt32LE(value, at) : cache.writeUInt32BE(value, at);
  cache.write("glibc-ld.so.cache1.1");
  u32(libraries.length, 20);
  u32(strings.length, 24);
  cache[28] = endian === "little" ? 2 : 3;
  entries.forEach((entry, n) => entry.forEach((value, index) => u32(value, 48 + n * 24 + index * 4)));
  cache.set(strings, head);
  if (hwcap === undefined) return cache.subarray(0, head + strings.length);
  u32(extension, 32);
  u32(0x40000000, 48 + 16 + (endian === "little" ? 4 : 0));
  [0xeaa42174, 1, 1, 0, extension + 24, 4, capability].forEach((value, n) => u32(value, extension + n * 4));
  return cache;
}
