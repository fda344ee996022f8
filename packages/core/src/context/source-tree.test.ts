import { expect, test } from "vitest";
import { walkTree, type SourceNode, type SourceTree } from "./source-tree.ts";

test("a directory with more names than a call has arguments is walked", () => {
  const attributes = { mode: 0o755, uid: 0, gid: 0, mtime: 0, size: 0 };
  const names = Array.from({ length: 200_000 }, (_, at) => String(at).padStart(6, "0"));
  const directory: SourceNode = { kind: "directory", ...attributes };
  const tree: Pick<SourceTree, "lstat" | "list" | "open"> = {
    lstat: (path) => (path.length > "/d".length ? { kind: "file", ...attributes } : directory),
    list: (path) => (path === "/" ? ["d"] : path === "/d" ? names : []),
    open: () => ({ size: 0, async *stream() {} }),
  };
  expect([...walkTree(tree, "/")]).toHaveLength(names.length + 1);
});
