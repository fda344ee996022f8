import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { memoryTree } from "../context/memory-tree.ts";
import { buildImage } from "./build-image.ts";

let place: string;

beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-input-"));
  mkdirSync(join(place, "directory"));
  writeFileSync(join(place, "file"), "FROM scratch\n");
  symlinkSync("loop", join(place, "loop"));
});
afterAll(() => rmSync(place, { recursive: true }));

test.each([
  [".dockerignore", "Dockerfile"],
  ["other.dockerignore", "other"],
])("malformed patterns of %s are told with their places", async (file, dockerfile) => {
  const context = memoryTree({
    [dockerfile]: "FROM scratch\nEXPOSE x\n",
    [file]: "# fine\nnode_modules\n  a[\n\n!\n",
  });
  await expect(buildImage({ context, dockerfile, cache: false })).rejects.toMatchObject({
    diagnostics: [
      { code: "DOCKERFILE_INVALID", location: { file: dockerfile, line: 2 } },
      { message: "syntax error in pattern", location: { file, line: 3, text: "a[" } },
      { message: 'illegal exclusion pattern: "!"', location: { file, line: 5, text: "!" } },
    ],
  });
});

test.each([
  ["missing", "no such file"],
  ["file/below", "no such file"],
  ["loop", "no such file"],
  ["directory", "it is a directory"],
])("a Dockerfile at %s is not there: %s", async (name, what) => {
  const path = join(place, name);
  await expect(buildImage({ context: place, dockerfile: { path }, cache: false })).rejects.toMatchObject({
    code: "DOCKERFILE_NOT_FOUND",
    message: `The Dockerfile ${JSON.stringify(path)} is not there: ${what}.`,
  });
});
