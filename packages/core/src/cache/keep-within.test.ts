import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keepWithin } from "./keep-within.ts";

const HOUR = 60 * 60 * 1000;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "undocked-test-"));
  put("old", 3 * HOUR);
  put("new", 2 * HOUR);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A blob of 1000 bytes that was last of use some time ago. */
function put(name: string, age: number): void {
  mkdirSync(join(directory, "content/blobs/sha256"), { recursive: true });
  writeFileSync(blob(name), Buffer.alloc(1000));
  setAge(blob(name), age);
}

function blob(name: string): string {
  return join(directory, "content/blobs/sha256", name);
}

function setAge(path: string, age: number): void {
  const time = new Date(Date.now() - age);
  utimesSync(path, time, time);
}

test("what was of use the longest time ago goes, until the rest is within the size", async () => {
  await keepWithin(directory, 1500);
  expect(["old", "new"].filter((name) => existsSync(blob(name)))).toEqual(["new"]);
});

test("what is within the size stays", async () => {
  await keepWithin(directory, 2000);
  expect(["old", "new"].filter((name) => existsSync(blob(name)))).toEqual(["old", "new"]);
});

const grow = (): void => ["more", "most"].forEach((name) => put(name, HOUR));

test("the whole cache is looked at once an hour", async () => {
  await keepWithin(directory, 2000);
  grow();
  await keepWithin(directory, 2000);
  expect(existsSync(blob("old"))).toBe(true);
  setAge(join(directory, "looked-at"), 2 * HOUR);
  await keepWithin(directory, 2000);
  expect(existsSync(blob("old"))).toBe(false);
});

test("it is looked at again when less is allowed than before, and not when more is", async () => {
  await keepWithin(directory, 2000);
  grow();
  await keepWithin(directory, 3000);
  expect(existsSync(blob("old"))).toBe(true);
  await keepWithin(directory, 1000);
  expect(["old", "new", "more", "most"].filter((name) => existsSync(blob(name)))).toHaveLength(1);
});

test.each([
  ["is empty", (stamp: string) => writeFileSync(stamp, "")],
  ["says something else", (stamp: string) => writeFileSync(stamp, "1e99\n")],
  ["is large", (stamp: string) => writeFileSync(stamp, Buffer.alloc(1_000_000, "0"))],
  ["is a directory", (stamp: string) => (rmSync(stamp), mkdirSync(join(stamp, "a"), { recursive: true }))],
  ["is a link to itself", (stamp: string) => (rmSync(stamp), symlinkSync(stamp, stamp))],
])("a mark of the last look that %s is none", async (_, harm) => {
  const stamp = join(directory, "looked-at");
  await keepWithin(directory, 2000);
  grow();
  harm(stamp);
  await keepWithin(directory, 2000);
  expect(existsSync(blob("old"))).toBe(false);
  expect(readFileSync(stamp, "utf8")).toBe("2000\n");
});

test("nothing is written where a link in the mark's place leads", async () => {
  const elsewhere = join(directory, "elsewhere");
  writeFileSync(elsewhere, "mine");
  symlinkSync(elsewhere, join(directory, "looked-at"));
  await keepWithin(directory, 2000);
  expect(readFileSync(elsewhere, "utf8")).toBe("mine");
});

test("a look from a clock that was ahead does not count", async () => {
  await keepWithin(directory, 5000);
  setAge(join(directory, "looked-at"), -1000 * HOUR);
  await keepWithin(directory, 0);
  expect(existsSync(blob("old"))).toBe(false);
});

test("a directory that is not there is no fault", async () => {
  await keepWithin(join(directory, "nothing/here"), 0);
});
