import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readAll } from "@undocked/registry";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { directoryTree } from "./directory-tree.ts";
import { compareBytes } from "./path.ts";
import { walkTree } from "./source-tree.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "undocked-test-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function write(path: string, content = "content"): string {
  const at = join(directory, path);
  mkdirSync(join(at, ".."), { recursive: true });
  writeFileSync(at, content);
  return at;
}

test("modes, times and sizes are the file's, the owner is 0:0", () => {
  chmodSync(write("a/f"), 0o4750);
  utimesSync(join(directory, "a/f"), 1.9, 1.9);
  expect(directoryTree(directory).lstat("/a/f")).toEqual({
    kind: "file",
    mode: 0o4750,
    uid: 0,
    gid: 0,
    mtime: 1,
    size: 7,
  });
});

test("names come in the order of their bytes", () => {
  for (const name of ["b", "a", "a.b", "Z", "é"]) write(name);
  expect(directoryTree(directory).list("/")).toEqual(["Z", "a", "a.b", "b", "é"]);
});

test("what is in a directory is found in any order, listed or not, and stays what it was", () => {
  const names = ["a", "a-b", "a.b", "ab", "b", "é", "\u{1f600}", "\uff5e"];
  for (const name of names) write(name, name);
  const tree = directoryTree(directory);
  const first = tree.lstat("/ab");
  expect(tree.lstat("/later")).toBeUndefined();
  write("ab", "longer now");
  expect(tree.list("/")).toEqual([...names].sort(compareBytes));
  expect(tree.lstat("/ab")).toStrictEqual(first);
  for (const name of [...names, ...names.toReversed(), "b", "b", "a", "é"])
    expect(tree.lstat(`/${name}`)).toMatchObject({ kind: "file", size: Buffer.byteLength(name) });
  write("later");
  expect(tree.lstat("/later")).toBeUndefined();
  expect(tree.lstat("/a/b")).toBeUndefined();
});

test("names of one file share a group", () => {
  linkSync(write("a"), join(directory, "b"));
  write("c");
  const tree = directoryTree(directory);
  expect(tree.lstat("/a")?.linkGroup).toBeDefined();
  expect(tree.lstat("/a")?.linkGroup).toBe(tree.lstat("/b")?.linkGroup);
  expect(tree.lstat("/c")?.linkGroup).toBeUndefined();
});

describe("symlink escape", () => {
  test("below a link that leads outside there is nothing", () => {
    const outside = mkdtempSync(join(tmpdir(), "undocked-outside-"));
    writeFileSync(join(outside, "secret"), "s");
    symlinkSync(outside, join(directory, "out"));
    symlinkSync(join(outside, "secret"), join(directory, "file"));
    const tree = directoryTree(directory);
    expect(tree.lstat("/out")).toMatchObject({ kind: "symlink", linkTarget: outside });
    expect(tree.lstat("/out/secret")).toBeUndefined();
    expect(tree.list("/out")).toEqual([]);
    expect(() => tree.open("/out/secret")).toThrow(/not a file/);
    expect(() => tree.open("/file")).toThrow(/not a file/);
    rmSync(outside, { recursive: true });
  });

  test("a file that becomes a link after it was looked at is not followed", () => {
    const at = write("f", "mine");
    const secret = write("secret", "them");
    const content = directoryTree(directory).open("/f");
    renameSync(at, join(directory, "g"));
    symlinkSync(secret, at);
    expect(() => content.readAt?.(0, 4)).toThrow(expect.objectContaining({ code: "FILE_CHANGED" }));
  });
});

test("a fifo that takes a file's place does not stop the build", async () => {
  const at = write("f");
  const content = directoryTree(directory).open("/f");
  rmSync(at);
  execFileSync("mkfifo", [at]);
  await expect(readAll(content.stream())).rejects.toMatchObject({ code: "FILE_CHANGED" });
});

test("a file that grows while it is read is told", async () => {
  const at = write("f");
  const content = directoryTree(directory).open("/f");
  appendFileSync(at, "more");
  await expect(readAll(content.stream())).rejects.toMatchObject({
    code: "FILE_CHANGED",
    message: expect.stringContaining(at),
  });
});

test("fifos and sockets are seen for what they are", async () => {
  execFileSync("mkfifo", [join(directory, "p")]);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(directory, "s"), resolve));
  const tree = directoryTree(directory);
  expect([tree.lstat("/p")?.kind, tree.lstat("/s")?.kind]).toEqual(["fifo", "socket"]);
  await new Promise((resolve) => server.close(resolve));
});

test("a part of a file is read, and no more than there is", () => {
  write("f", "0123456789");
  const content = directoryTree(directory).open("/f");
  expect(Buffer.from(content.readAt?.(3, 4) ?? []).toString()).toBe("3456");
  expect(Buffer.from(content.readAt?.(8, 100) ?? []).toString()).toBe("89");
  expect(content.readAt?.(50, 1)).toHaveLength(0);
});

test("a stream of a long file is its bytes", async () => {
  const bytes = Buffer.alloc(5 * 1024 * 1024 + 7, "abc");
  writeFileSync(join(directory, "f"), bytes);
  expect(Buffer.compare(await readAll(directoryTree(directory).open("/f").stream()), bytes)).toBe(0);
});

test("the directory may itself be reached by a link", () => {
  write("real/f");
  symlinkSync("real", join(directory, "link"));
  expect([...walkTree(directoryTree(join(directory, "link")), "/")].map(({ path }) => path)).toEqual(["/f"]);
});

test("a missing directory and a file are refused", () => {
  write("f");
  for (const name of ["nothing", "f"]) {
    expect(() => directoryTree(join(directory, name))).toThrow(
      expect.objectContaining({ code: "CONTEXT_INVALID" }),
    );
  }
});

test("what the user may not read is told, and names the path", () => {
  chmodSync(directory, 0o755);
  chmodSync(write("f"), 0o000);
  mkdirSync(join(directory, "d"), { mode: 0o311 });
  const root = process.geteuid?.() === 0;
  // Root may read everything.
  if (root) process.seteuid?.(65534);
  try {
    const tree = directoryTree(directory);
    for (const [path, look] of [
      ["f", () => tree.open("/f").readAt?.(0, 1)],
      ["d", () => tree.list("/d")],
    ] as const) {
      const message = expect.stringContaining(join(directory, path));
      expect(look).toThrow(expect.objectContaining({ code: "FILE_UNREADABLE", message }));
    }
  } finally {
    if (root) process.seteuid?.(0);
  }
});

test("names that no file system has are not there", () => {
  const tree = directoryTree(directory);
  expect(tree.lstat(`/${"n".repeat(5000)}`)).toBeUndefined();
  expect(tree.lstat("/a\0b")).toBeUndefined();
});
