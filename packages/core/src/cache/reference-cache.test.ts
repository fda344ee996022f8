import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "@undocked/registry";
import { beforeEach, expect, test } from "vitest";
import { referenceCache } from "./reference-cache.ts";

let directory: string;
const target = { mediaType: "application/vnd.oci.image.index.v1+json", digest: digestOf("a"), size: 1 };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "undocked-references-"));
  return () => rmSync(directory, { recursive: true, force: true });
});

const fileOf = (): string => {
  const [name = ""] = readdirSync(join(directory, "v1"));
  return join(directory, "v1", name);
};

test("what was written is read, by its name alone", async () => {
  const cache = referenceCache(directory);
  expect(await cache.read("app:1")).toBeUndefined();
  await cache.write("app:1", { target });
  await cache.write("app:1", { target, modified: 5 });
  expect(await cache.read("app:1")).toEqual({ target, modified: 5 });
  expect(await cache.read("app:2")).toBeUndefined();
});

test.each([
  ["cut off", (text: string) => text.slice(0, -3)],
  ["changed", (text: string) => text.replace('"size":1', '"size":2')],
  ["empty", () => ""],
])("a file that is %s counts as missing", async (_, damage) => {
  const cache = referenceCache(directory);
  await cache.write("app:1", { target });
  writeFileSync(fileOf(), damage(readFileSync(fileOf(), "utf8")));
  expect(await cache.read("app:1")).toBeUndefined();
});

test("a file that was moved to another name's place counts as missing", async () => {
  const cache = referenceCache(directory);
  await cache.write("app:2", { target });
  const other = fileOf();
  const text = readFileSync(other, "utf8");
  rmSync(other);
  await cache.write("app:1", { target });
  writeFileSync(`${fileOf()}.new`, text);
  renameSync(`${fileOf()}.new`, fileOf());
  expect(await cache.read("app:1")).toBeUndefined();
});

test("a directory that cannot be written costs nothing but the entry", async () => {
  writeFileSync(join(directory, "v1"), "in the way");
  const cache = referenceCache(directory);
  await cache.write("app:1", { target });
  expect(await cache.read("app:1")).toBeUndefined();
});
