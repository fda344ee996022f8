import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readPlainFile } from "./plain-file.ts";

let place: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-plain-file-"));
  writeFileSync(join(place, "file"), "four");
  mkdirSync(join(place, "directory"));
});
afterAll(() => rmSync(place, { recursive: true }));

test("a file is read, through links too, if it has no more than it may", async () => {
  symlinkSync("file", join(place, "link"));
  expect((await readPlainFile(join(place, "link"), 4))?.toString("utf8")).toBe("four");
  await expect(readPlainFile(join(place, "file"), 3)).rejects.toMatchObject({ code: "EFBIG" });
});

test.each(["nothing", "file/below", "to nothing", "to itself"])("%s is not there", async (name) => {
  if (name.startsWith("to ")) symlinkSync(name === "to itself" ? name : "nothing", join(place, name));
  expect(await readPlainFile(join(place, name), 4)).toBeUndefined();
});

test("a directory is no file", async () => {
  await expect(readPlainFile(join(place, "directory"), 4)).rejects.toMatchObject({ code: "EISDIR" });
});

test.skipIf(process.platform === "win32")(
  "a fifo is not waited for, and a device not read without end",
  async () => {
    execFileSync("mkfifo", [join(place, "fifo")]);
    symlinkSync("/dev/zero", join(place, "zero"));
    for (const name of ["fifo", "zero"])
      await expect(readPlainFile(join(place, name), 4)).rejects.toMatchObject({ code: "EISDIR" });
  },
);
