import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyImage, memoryStore, ociLayout } from "@undocked/registry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mainIn } from "../support/main-in.ts";
import { randomImage } from "../support/random-image.ts";

/* Whatever the operating system has against a place that was named: one error with a code, the place, and what to do. */

let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "undocked-places-"));
  symlinkSync("loop-2", join(directory, "loop"));
  symlinkSync("loop", join(directory, "loop-2"));
  writeFileSync(join(directory, "file"), "no archive");
  mkdirSync(join(directory, "empty"));
  mkdirSync(join(directory, "odd/index.json"), { recursive: true });
  mkdirSync(join(directory, "context"));
  writeFileSync(join(directory, "context/Dockerfile"), "FROM base\n");
  for (const name of ["good", "shut"]) {
    const from = memoryStore();
    const root = await randomImage(from, 1);
    await copyImage(root, from, ociLayout(join(directory, name)), { tags: ["latest"] });
  }
  await undocked("copy", "oci:good", "oci-archive:good.tar");
  chmodSync(join(directory, "shut"), 0);
  chmodSync(join(directory, "good.tar"), 0);
});
afterAll(() => {
  chmodSync(join(directory, "shut"), 0o700);
  rmSync(directory, { recursive: true });
});

const undocked = (...args: string[]) => mainIn(directory, args);
const isRoot = process.getuid?.() === 0;
const longName = "n".repeat(300);

async function refused(args: readonly string[], code: string, place: string): Promise<void> {
  const { code: exit, stdout, stderr } = await undocked(...args);
  expect([exit, stdout]).toEqual([1, ""]);
  expect(stderr.match(/^error: /gm)).toHaveLength(1);
  expect(stderr).toContain(`[${code}]`);
  expect(stderr).toContain(`error: ${join(directory, place)} `);
  expect(stderr).toMatch(/^ {2}hint: /m);
}

const kinds = [
  ["oci", ""],
  ["oci-archive", ""],
  ["docker-archive", ":a:1"],
] as const;

describe.each(kinds)("copy to %s", (kind, name) => {
  test.each([
    ["a link in a circle", "loop"],
    ["a path through a link in a circle", "loop/x"],
    ["a path through a file", "file/x"],
    ["a name that is too long", longName],
  ])("%s", async (_, place) => {
    await refused(["copy", "-q", "oci:good", `${kind}:${place}${name}`], "OUTPUT_UNWRITABLE", place);
  });

  test.skipIf(isRoot)("a directory that nobody may enter", async () => {
    await refused(["copy", "-q", "oci:good", `${kind}:shut/x${name}`], "OUTPUT_UNWRITABLE", "shut/x");
  });
});

test.each([
  ["a file", "file"],
  ["a layout whose index is a directory", "odd"],
])("copy to oci: of %s", async (_, place) => {
  await refused(["copy", "-q", "oci:good", `oci:${place}`], "OUTPUT_UNWRITABLE", place);
});

test("copy of a layout to a place inside of it", async () => {
  mkdirSync(join(directory, "good/odd/index.json"), { recursive: true });
  await refused(["copy", "-q", "oci:good", "oci:good/odd"], "OUTPUT_UNWRITABLE", "good/odd");
  rmSync(join(directory, "good/odd"), { recursive: true });
});

describe.each(kinds)("copy from %s", (kind) => {
  test.each([
    ["a link in a circle", "loop"],
    ["a path through a link in a circle", "loop/x"],
    ["a path through a file", "file/x"],
    ["what is not there", "none"],
    ["a name that is too long", longName],
  ])("%s", async (_, place) => {
    await refused(["copy", "-q", `${kind}:${place}`, "oci:new"], "FILE_UNREADABLE", place);
  });

  test.skipIf(isRoot)("what nobody may read", async () => {
    const place = kind === "oci" ? "shut" : "good.tar";
    await refused(["copy", "-q", `${kind}:${place}`, "oci:new"], "FILE_UNREADABLE", place);
  });
});

test.each([
  ["oci:file", "LAYOUT_INVALID", "file"],
  ["oci:empty", "LAYOUT_INVALID", "empty"],
  ["oci:odd", "FILE_UNREADABLE", "odd"],
  ["oci-archive:empty", "TAR_INVALID", "empty"],
  ["docker-archive:empty", "TAR_INVALID", "empty"],
])("what is something else is told by copy and by manifest: %s", async (source, code, place) => {
  await refused(["copy", "-q", source, "oci:new"], code, place);
  await refused(["manifest", source], code, place);
});

test.each(["check", "probe"])("%s of a path that leads nowhere asks no registry", async (command) => {
  await refused([command, "./loop"], "FILE_UNREADABLE", "loop");
  await refused([command, join(directory, "loop/x")], "FILE_UNREADABLE", "loop/x");
});

test("a build upon a layout that cannot be read", async () => {
  const base = `base=oci-layout://${directory}/odd:latest`;
  await refused(["build", "context", "--no-cache", "--build-context", base], "FILE_UNREADABLE", "odd");
});

test.skipIf(isRoot)("a build to a file in a directory that cannot be written", async () => {
  mkdirSync(join(directory, "closed"));
  writeFileSync(join(directory, "closed/file"), "");
  mkdirSync(join(directory, "other"));
  writeFileSync(join(directory, "other/Dockerfile"), "FROM scratch\nCOPY Dockerfile /f\n");
  chmodSync(join(directory, "closed"), 0o500);
  const output = "type=oci,dest=closed/file";
  await refused(["build", "other", "--no-cache", "-q", "-o", output], "OUTPUT_UNWRITABLE", "closed/file");
  chmodSync(join(directory, "closed"), 0o700);
});
