import { expect, test } from "vitest";
import { filteredTree } from "./filtered-tree.ts";
import { memoryTree } from "./memory-tree.ts";
import { walkTree } from "./source-tree.ts";
import { subTree } from "./sub-tree.ts";

const tree = memoryTree({
  "docs/keep": "1",
  "docs/drop": "2",
  "docs/deep/drop": "3",
  "src/a": "4",
  docs: { kind: "directory", mode: 0o700 },
});

const rules = {
  ignores: (path: string): boolean => path.startsWith("docs") && path !== "docs/keep",
};

test("an ignored directory is there because of what is taken in again, with its own mode", () => {
  const filtered = filteredTree(tree, rules);
  expect([...walkTree(filtered, "/")].map(({ path }) => path)).toEqual([
    "/docs",
    "/docs/keep",
    "/src",
    "/src/a",
  ]);
  expect(filtered.lstat("/docs")?.mode).toBe(0o700);
  expect(filtered.lstat("/docs/drop")).toBeUndefined();
});

test("below an ignored directory nothing is looked for when nothing can be taken in again", () => {
  const filtered = filteredTree(tree, { ...rules, reincludes: false });
  expect([...walkTree(filtered, "/")].map(({ path }) => path)).toEqual(["/src", "/src/a"]);
});

test("a subtree is the tree below a directory", () => {
  const below = subTree(tree, "/docs");
  expect([...walkTree(below, "/")].map(({ path }) => path)).toEqual([
    "/deep",
    "/deep/drop",
    "/drop",
    "/keep",
  ]);
  expect(below.lstat("/")?.mode).toBe(0o700);
  expect(below.open("/keep").size).toBe(1);
});
