import { describe, expect, test } from "vitest";
import { versionTags } from "./tags.ts";

const tags = (version: string): string[] =>
  versionTags("registry.example/app", version).map((reference) =>
    reference.slice("registry.example/app:".length),
  );

describe("the tags of a version", () => {
  test.each([
    ["1.4.2", ["1.4.2", "1.4", "1", "latest"]],
    ["v1.4.2", ["1.4.2", "1.4", "1", "latest"]],
    ["0.3.1", ["0.3.1", "0.3", "latest"]],
    ["2.0.0-rc.1", ["2.0.0-rc.1"]],
    ["1.4.2+build.5", ["1.4.2", "1.4", "1", "latest"]],
  ])("%s are %j", (version, expected) => {
    expect(tags(version)).toEqual(expected);
  });

  test.each(["", "1.4", "latest", "1.4.2.1"])("%j is no version", (version) => {
    expect(() => tags(version)).toThrow("is not a version");
  });

  test("are not given to a reference that has one", () => {
    expect(() => versionTags("app:1", "1.0.0")).toThrow("has a tag or a digest");
  });
});
