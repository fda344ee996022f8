import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { planBuild } from "./plan-build.ts";
import { usableCache, writingToCache } from "./usable-cache.ts";

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-usable-cache-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(place, { recursive: true });
});

describe("a cache that cannot be made", () => {
  beforeEach(() => {
    writeFileSync(join(place, "file"), "");
    vi.stubEnv("XDG_CACHE_HOME", join(place, "file"));
  });

  test("is refused where it was named", async () => {
    const named = { cache: join(place, "file", "named"), dockerfile: { text: "FROM scratch\n" } };
    await expect(usableCache(named)).rejects.toMatchObject({ code: "CACHE_UNUSABLE" });
    await expect(planBuild(named)).rejects.toMatchObject({ code: "CACHE_UNUSABLE" });
  });

  test("is done without where it is the user's own, with a warning", async () => {
    const warnings = [{ code: "CACHE_UNUSABLE", severity: "warning" }];
    expect(await usableCache({})).toMatchObject({ cache: false, warnings });
    const plan = await planBuild({ context: place, dockerfile: { text: "FROM scratch\nLABEL a=b\n" } });
    expect(plan).toMatchObject({ warnings, plans: [{ warnings }] });
  });
});

test("no cache makes nothing", async () => {
  vi.stubEnv("XDG_CACHE_HOME", place);
  expect(await usableCache({ cache: false })).toEqual({ cache: false, warnings: [] });
  expect(readdirSync(place)).toEqual([]);
});

test.each([
  ["CACHE_UNUSABLE", "build without one", "/caches/a"],
  ["TEMPORARY_UNUSABLE", "TMPDIR", false as const],
])("a full disk is %s, with %s in its hint", async (code, hint, cache) => {
  const full = Object.assign(new Error("ENOSPC: no space left on device"), {
    code: "ENOSPC",
    syscall: "write",
  });
  const written = writingToCache(cache, "/caches/a", () => Promise.reject(full));
  await expect(written).rejects.toMatchObject({ code, hint: expect.stringContaining(hint) });
});
