import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openWorkspace } from "./workspace.ts";

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-workspace-"));
  mkdirSync(join(place, "temporary"));
  vi.stubEnv("TMPDIR", join(place, "temporary"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(place, { recursive: true });
});

test("a workspace without a cache takes its directory away with it", async () => {
  const workspace = await openWorkspace({ cache: false });
  expect(readdirSync(join(place, "temporary"))).toHaveLength(1);
  await workspace[Symbol.asyncDispose]();
  expect(readdirSync(join(place, "temporary"))).toEqual([]);
});

test("one that does not come to be leaves no directory", async () => {
  const registry = { requestsPerSecond: 0 };
  await expect(openWorkspace({ cache: false, registry })).rejects.toThrow(TypeError);
  expect(readdirSync(join(place, "temporary"))).toEqual([]);
});
