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

test.skipIf(process.platform === "win32")(
  "a mode is that of each directory that is made, and of none that is there",
  async () => {
    await makeDirectory(join(directory, "there"), { mode: 0o755 });
    await makeDirectory(join(directory, "there", "a", "b"), { mode: 0o700 });
    const mode = async (path: string): Promise<number> => (await stat(join(directory, path))).mode & 0o777;
    expect(await mode("there/a")).toBe(0o700);
    expect(await mode("there/a/b")).toBe(0o700);
    expect((await mode("there")) & 0o700).toBe(0o700);
    await makeDirectory(join(directory, "there"), { mode: 0o500 });
    expect((await mode("there")) & 0o700).toBe(0o700);
  },
);

test("a parent that is a file is refused", async () => {
  await writeFile(join(directory, "file"), "");
  await expect(makeDirectory(join(directory, "file", "a", "b"))).rejects.toMatchObject({ code: "ENOTDIR" });
});

test.skipIf(!existsSync("/proc/self"))("where the kernel lets nobody make one, there is an end", async () => {
  await expect(makeDirectory("/proc/nope/a")).rejects.toMatchObject({ code: "ENOENT" });
});
