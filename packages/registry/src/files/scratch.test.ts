import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { inScratch, scratchDirectory, writeScratch, type WritableFile } from "./scratch.ts";

test("what is written in part is written on", async () => {
  const directory = await mkdtemp(join(tmpdir(), "undocked-scratch-"));
  try {
    const path = join(directory, "file");
    await using file = await open(path, "wx");
    const write: WritableFile["write"] = (bytes, at, length, position) =>
      file.write(bytes, at, Math.min(length, 3), position);
    await writeScratch({ write }, Buffer.from("0123456789"), 0);
    await writeScratch({ write }, Buffer.from("abcd"), 10);
    expect(await readFile(path, "utf8")).toBe("0123456789abcd");
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("a directory that is not there is told", async () => {
  await expect(scratchDirectory("/not/there")).rejects.toMatchObject({
    code: "TEMPORARY_UNUSABLE",
    hint: expect.stringContaining("TMPDIR"),
  });
});

test("a disk without room is told, and what fails in reading is not taken for it", async () => {
  const refused = (syscall: string): Promise<never> =>
    Promise.reject(Object.assign(new Error(`ENOSPC: ${syscall}`), { syscall }));
  await expect(inScratch(refused("write"))).rejects.toMatchObject({ code: "TEMPORARY_UNUSABLE" });
  await expect(inScratch(refused("read"))).rejects.toThrow("ENOSPC: read");
});
