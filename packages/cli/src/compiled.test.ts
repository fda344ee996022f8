import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { keepCompiled } from "./compiled.ts";

let home = "";

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "undocked-compiled-"));
  vi.stubEnv("XDG_CACHE_HOME", home);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});

test("Node keeps what it compiles in the user's cache", () => {
  mkdirSync(join(home, "undocked"));
  const enableCompileCache = vi.fn<(directory: string) => void>();
  keepCompiled({ enableCompileCache });
  expect(enableCompileCache).toHaveBeenCalledWith(join(home, "undocked", "compiled"));
});

test("nothing is kept where no build has kept anything", () => {
  const enableCompileCache = vi.fn<(directory: string) => void>();
  keepCompiled({ enableCompileCache });
  expect(enableCompileCache).not.toHaveBeenCalled();
});

test("a Node that keeps nothing does without, and so does one that throws", () => {
  mkdirSync(join(home, "undocked"));
  keepCompiled({});
  keepCompiled({
    enableCompileCache() {
      throw new Error("no room");
    },
  });
});
