import { existsSync } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeDirectory } from "./make-directory.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "undocked-directory-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test("parents are made, and what is there stays, also the root", async () => {
  const path = join(directory, "a", "b");
  await Promise.all([makeDirectory(path), makeDirectory(path), makeDirectory(join(path, "c"))]);
  await makeDirectory(path);
  await makeDirectory("/");
  expect((await stat(join(path, "c"))).isDirectory()).toBe(true);
});

test("a parent that is a file is refused", async () => {
  await writeFile(join(directory, "file"), "");
  await expect(makeDirectory(join(directory, "file", "a", "b"))).rejects.toMatchObject({ code: "ENOTDIR" });
});

test.skipIf(!existsSync("/proc/self"))("where the kernel lets nobody make one, there is an end", async () => {
  await expect(makeDirectory("/proc/nope/a")).rejects.toMatchObject({ code: "ENOENT" });
});
