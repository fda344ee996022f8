import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startRegistry, type RunningRegistry } from "@undocked/registry/server";
import { buildCli } from "../support/cli.ts";
import { runMeasured } from "../support/peak-memory.ts";

let directory: string;
let registry: RunningRegistry;

beforeAll(async () => {
  buildCli();
  directory = mkdtempSync(join(tmpdir(), "undocked-many-"));
  registry = await startRegistry({ storage: join(directory, "registry") });
});
afterAll(async () => {
  await registry.close();
  rmSync(directory, { recursive: true, force: true });
});

test("a project of 100,000 files is built and pushed in less than 200 MB of memory", async () => {
  const project = join(directory, "project");
  for (let folder = 0; folder < 1000; folder++) {
    const path = join(project, "files", `module-${folder}`);
    mkdirSync(path, { recursive: true });
    for (let file = 0; file < 100; file++)
      writeFileSync(join(path, `file-${file}.js`), `${folder} ${file}\n`.repeat(200));
  }
  writeFileSync(join(project, "Dockerfile"), "FROM scratch\nCOPY files /app/\n");
  const target = ["--push", "-t", `${registry.host}/many:1`];
  const cache = ["--cache-dir", join(directory, "cache")];
  const { code, stdout, stderr, peak } = await runMeasured([
    "build",
    project,
    "--quiet",
    ...target,
    ...cache,
  ]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("/many:1@sha256:");
  expect(peak).toBeGreaterThan(10_000_000);
  expect(peak).toBeLessThan(200_000_000);
});
