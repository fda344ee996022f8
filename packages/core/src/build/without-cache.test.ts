import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { directoryTree } from "../context/directory-tree.ts";
import { withoutCache } from "./without-cache.ts";

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-without-cache-"));
  mkdirSync(join(place, "context", "a[b]", "cache", "content"), { recursive: true });
  mkdirSync(join(place, "context", "a[b]", "cached"));
  writeFileSync(join(place, "context", "a[b]", "cache", "content", "blob"), "");
  symlinkSync(join(place, "context"), join(place, "link"));
});
afterEach(() => rmSync(place, { recursive: true }));

const shown = (cache: string | false | undefined, directory = "context") =>
  withoutCache(directoryTree(join(place, directory)), join(place, directory), cache);

describe("a context", () => {
  test.each([
    ["by its path", "context", "context"],
    ["through a link to the context", "context", "link"],
    ["in a context that is a link", "link", "context"],
  ])("does not show the cache in it, named %s", (_, directory, way) => {
    const tree = shown(join(place, way, "a[b]", "cache"), directory);
    expect(tree.list("/a[b]")).toEqual(["cached"]);
    expect(tree.lstat("/a[b]/cache")).toBeUndefined();
    expect(tree.lstat("/a[b]/cache/content/blob")).toBeUndefined();
    expect(tree.list("/a[b]/cache/content")).toEqual([]);
  });

  test.each([
    ["beside it", () => join(place, "context..")],
    ["that it is itself", () => join(place, "context")],
    ["above it", () => place],
    ["that is not there", () => join(place, "..context")],
    ["that is none", () => false as const],
    ["of which nobody knows yet", () => undefined],
  ])("shows all of it with a cache %s", (_, cache) => {
    expect(shown(cache()).list("/a[b]")).toEqual(["cache", "cached"]);
  });
});
