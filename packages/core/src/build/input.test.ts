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

test("a file that is mapped and not there is told with its place in the list, as it was written, and with the project", async () => {
  const files = [
    { from: "file", to: "a" },
    { from: "./nope/x", to: "b" },
  ];
  await expect(buildImage({ project: place, files, image: "scratch", cache: false })).rejects.toMatchObject({
    code: "MAPPING_NOT_FOUND",
    message: `files[1] (./nope/x → b): there is no /nope/x in ${place}.`,
  });
});

test("a path of the host that is one of the working directory is told so", async () => {
  const path = "/packages/core/package.json";
  await expect(buildImage({ context: place, dockerfile: { path }, cache: false })).rejects.toMatchObject({
    code: "DOCKERFILE_NOT_FOUND",
    hint: expect.stringContaining("Name ./packages/core/package.json"),
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

test("what mappings and the Dockerfile's files have wrong is told together", async () => {
  const context = memoryTree({
    Dockerfile: [
      "FROM base",
      "COPY lost /a",
      "COPY mapped/file /b",
      "COPY ma*/x /c",
      "COPY kept also-lost /d/",
      "COPY kept /e/.wh.kept",
      "COPY --chmod=755 . /f",
    ].join("\n"),
    kept: "x",
  });
  const files = [
    { from: "nothing", to: "mapped" },
    { from: "kept", to: "Dockerfile" },
    { from: "kept", to: "sound" },
  ];
  await expect(buildImage({ context, project: place, files, cache: false })).rejects.toMatchObject({
    diagnostics: [
      { code: "MAPPING_NOT_FOUND", message: expect.stringContaining("files[0]") },
      { code: "MAPPING_INVALID", message: expect.stringContaining("files[1]") },
      { code: "MAPPING_NOT_FOUND", message: expect.stringContaining("files[2]") },
      { code: "COPY_SOURCE_MISSING", location: { line: 2 } },
      { code: "COPY_SOURCE_MISSING", location: { line: 5 } },
      { code: "COPY_NAME_RESERVED", location: { line: 6 } },
    ],
  });
});

test("what may be missing for a mapping's fault alone is not told", async () => {
  const context = memoryTree({
    Dockerfile: "FROM scratch\nCOPY dist /a\nCOPY dist/lib/x /b\nCOPY distant /c\n",
  });
  const files = [{ from: "nothing", to: "dist/lib" }];
  await expect(buildImage({ context, project: place, files, cache: false })).rejects.toMatchObject({
    diagnostics: [{ code: "MAPPING_NOT_FOUND" }, { code: "COPY_SOURCE_MISSING", location: { line: 4 } }],
  });
});

test("an ignore file's faults and what is missing are told together, and not what the file may leave out", async () => {
  const context = memoryTree({
    Dockerfile: "FROM scratch\nCOPY lost /a\nCOPY directory /b\n",
    "directory/.wh.name": "x",
    ".dockerignore": "a[\n",
  });
  await expect(buildImage({ context, cache: false })).rejects.toMatchObject({
    diagnostics: [
      { code: "DOCKERFILE_INVALID", location: { file: ".dockerignore", line: 1 } },
      { code: "COPY_SOURCE_MISSING", location: { file: "Dockerfile", line: 2 } },
    ],
  });
});
