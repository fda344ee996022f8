import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeWholeFile } from "./whole-file.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "undocked-whole-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array, void, void> {
  for (const text of texts) yield Buffer.from(text);
}

test.each([
  ["a text", "content"],
  ["bytes", Buffer.from("content")],
  ["a stream", pieces("con", "tent")],
])("%s is written into directories that were missing, and nothing is beside it", async (_, content) => {
  const path = join(directory, "a", "b", "file");
  await writeWholeFile(path, content);
  expect(await readFile(path, "utf8")).toBe("content");
  expect(await readdir(join(directory, "a", "b"))).toEqual(["file"]);
});

test("a write that fails leaves what was there, and nothing beside it", async () => {
  const path = join(directory, "file");
  await writeFile(path, "old");
  const broken = async function* (): AsyncGenerator<Uint8Array, void, void> {
    yield* pieces("new");
    throw new Error("cut");
  };
  await expect(writeWholeFile(path, broken())).rejects.toThrow("cut");
  expect(await readFile(path, "utf8")).toBe("old");
  expect(await readdir(directory)).toEqual(["file"]);
});

test("until all is written, the old file is there", async () => {
  const path = join(directory, "file");
  await writeFile(path, "old");
  const seen: string[] = [];
  await writeWholeFile(
    path,
    (async function* () {
      yield* pieces("new");
      seen.push(await readFile(path, "utf8"));
    })(),
  );
  expect([seen, await readFile(path, "utf8")]).toEqual([["old"], "new"]);
});

test("a mode that keeps others out is the file's from its first byte", async () => {
  const path = join(directory, "file");
  const modes: number[] = [];
  await writeWholeFile(
    path,
    (async function* () {
      for (const name of await readdir(directory))
        modes.push((await stat(join(directory, name))).mode & 0o777);
      yield* pieces("secret");
    })(),
    { mode: 0o600 },
  );
  expect([modes, (await stat(path)).mode & 0o777]).toEqual([[0o600], 0o600]);
});

test("a directory in its place makes way for what is scratch, and for nothing else", async () => {
  const path = join(directory, "file");
  await mkdir(join(path, "within"), { recursive: true });
  await expect(writeWholeFile(path, "new")).rejects.toMatchObject({ code: "EISDIR" });
  expect(await readdir(path)).toEqual(["within"]);
  await writeWholeFile(path, "new", { durability: "scratch" });
  expect([await readFile(path, "utf8"), await readdir(directory)]).toEqual(["new", ["file"]]);
});

test("a write that is refused names the file, and a read that fails within it does not", async () => {
  const path = join(directory, "file");
  const refused = (syscall: string): Error => Object.assign(new Error("ENOSPC: no space left"), { syscall });
  const failing = async function* (error: Error): AsyncGenerator<Uint8Array, void, void> {
    yield* pieces("begin");
    throw error;
  };
  await expect(writeWholeFile(path, failing(refused("write")))).rejects.toMatchObject({
    path: expect.stringContaining(path),
  });
  await expect(writeWholeFile(path, failing(refused("read")))).rejects.not.toHaveProperty("path");
});
