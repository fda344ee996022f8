import { describe, expect, test } from "vitest";
import { memoryTree } from "./memory-tree.ts";
import { resolveInside } from "./resolve.ts";

const link = (linkTarget: string) => ({ kind: "symlink" as const, linkTarget });

const tree = memoryTree({
  "usr/bin/sh": "#!",
  bin: link("usr/bin"),
  sbin: link("/bin"),
  "usr/lib/deep/back": link("../../../bin"),
  "usr/detour": link("../bin/../file"),
  out: link("../../../../etc/passwd"),
  absolute: link("/nowhere/here"),
  loop: link("loop2"),
  loop2: link("loop"),
  file: "x",
  through: link("file/x"),
  empty: link(""),
});

describe("follows links inside the root", () => {
  test.each([
    ["/bin/sh", "/usr/bin/sh", "file"],
    ["/sbin/sh", "/usr/bin/sh", "file"],
    ["/sbin", "/usr/bin", "directory"],
    ["/usr/lib/deep/back/sh", "/usr/bin/sh", "file"],
    ["/bin/../lib", "/usr/lib", "directory"],
    ["bin//./sh/", "/usr/bin/sh", "file"],
    ["/out", "/etc/passwd", undefined],
    ["/absolute/x", "/nowhere/here/x", undefined],
    ["/../../usr", "/usr", "directory"],
    ["/", "/", "directory"],
    // BuildKit's rule for `x/..` in a relative target; the kernel would be in /usr.
    ["/usr/detour", "/file", "file"],
  ])("%s leads to %s", (path, real, kind) => {
    const found = resolveInside(tree, path);
    expect([found.path, found.node?.kind, found.obstacle]).toEqual([real, kind, undefined]);
  });

  test("but the last one only when asked to", () => {
    expect(resolveInside(tree, "/sbin", { last: "keep" })).toMatchObject({
      path: "/sbin",
      node: { kind: "symlink" },
    });
    expect(resolveInside(tree, "/sbin/sh", { last: "keep" }).path).toBe("/usr/bin/sh");
  });
});

test("a file on the way is told", () => {
  expect(resolveInside(tree, "/file/a/b")).toEqual({ path: "/file/a/b", node: undefined, obstacle: "/file" });
  expect(resolveInside(tree, "/through").obstacle).toBe("/file");
});

test("a loop is refused", () => {
  expect(() => resolveInside(tree, "/loop/x")).toThrow(expect.objectContaining({ code: "SYMLINK_LOOP" }));
});

test("40 links are followed and 41 are not", () => {
  const chain = (length: number) =>
    memoryTree(
      Object.fromEntries(
        Array.from({ length: length + 1 }, (_, at) => [`l${at}`, at === length ? "end" : link(`l${at + 1}`)]),
      ),
    );
  expect(resolveInside(chain(40), "/l0").path).toBe("/l40");
  expect(() => resolveInside(chain(41), "/l0")).toThrow(expect.objectContaining({ code: "SYMLINK_LOOP" }));
});

test.each(["/out", "/absolute", "/../x"])("%s leaves, where leaving is refused", (path) => {
  expect(() => resolveInside(tree, path, { outside: "refuse" })).toThrow(
    expect.objectContaining({ code: "SYMLINK_OUTSIDE" }),
  );
});
