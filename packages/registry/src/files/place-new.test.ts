import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { link } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { placeNew } from "./place-new.ts";

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-test-"));
  writeFileSync(join(place, "new"), "new");
});
afterEach(() => rmSync(place, { recursive: true }));

const failing = (code: string) => (): Promise<void> =>
  Promise.reject(Object.assign(new Error(code), { code }));

test.each([
  ["with links", link],
  ["without", failing("EPERM")],
  ["over a network without", failing("EOPNOTSUPP")],
])("%s, a name is taken once", async (_, linkFile) => {
  const [from, to] = [join(place, "new"), join(place, "name")];
  expect(await placeNew(from, to, linkFile)).toBe(true);
  rmSync(from);
  writeFileSync(from, "another");
  expect(await placeNew(from, to, linkFile)).toBe(false);
  expect(readFileSync(to, "utf8")).toBe("new");
});

test("another fault is told", async () => {
  await expect(placeNew(join(place, "new"), join(place, "x"), failing("ENOSPC"))).rejects.toThrow("ENOSPC");
});
