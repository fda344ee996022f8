import { expect, test } from "vitest";
import { baseName, cleanPath, compareBytes, isWithin, joinPath, parentPath } from "./path.ts";

test.each([
  ["", "/"],
  ["/", "/"],
  ["a", "/a"],
  ["./a/", "/a"],
  ["//a//b", "/a/b"],
  ["a/./b/../c", "/a/c"],
  ["../../a", "/a"],
  ["/a/..", "/"],
  ["...", "/..."],
])("%j is cleaned to %j", (path, clean) => {
  expect(cleanPath(path)).toBe(clean);
});

test("parents, names and joins agree with each other", () => {
  for (const path of ["/a", "/a/b", "/a/b/c"]) expect(joinPath(parentPath(path), baseName(path))).toBe(path);
  expect(parentPath("/")).toBe("/");
});

test("a path is within its own root and not within a name that begins alike", () => {
  expect(isWithin("/a/b", "/a")).toBe(true);
  expect(isWithin("/a", "/a")).toBe(true);
  expect(isWithin("/ab", "/a")).toBe(false);
  expect(isWithin("/x", "/")).toBe(true);
});

test("paths sort as their UTF-8 bytes do", () => {
  const paths = ["a", "a/b", "a.b", "a0", "B", "é", "z", "\u{1F600}", "\uFFFD", "\uE000", "", "日"];
  const byBytes = [...paths].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect([...paths].sort(compareBytes)).toEqual(byBytes);
});
