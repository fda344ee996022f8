import { describe, expect, test } from "vitest";
import { UsageError } from "./args.ts";
import { parsePlace } from "./place.ts";

describe("a place", () => {
  test.each([
    ["oci:dir", { kind: "oci", path: "/work/dir" }],
    ["oci:/dir:1.0", { kind: "oci", path: "/dir", name: "1.0" }],
    ["oci-archive:a.tar", { kind: "oci-archive", path: "/work/a.tar" }],
    [
      "docker-archive:a.tar:host:5000/app:1",
      { kind: "docker-archive", path: "/work/a.tar", name: "host:5000/app:1" },
    ],
    ["ghcr.io/a/b:1", { kind: "registry", reference: { registry: "ghcr.io", repository: "a/b", tag: "1" } }],
    [
      "docker:24",
      { kind: "registry", reference: { registry: "docker.io", repository: "library/docker", tag: "24" } },
    ],
  ])("%s is %j", (text, expected) => {
    expect(parsePlace(text, "/work")).toEqual(expected);
  });

  test.each(["oci:", "oci-archive::tag", "oci:dir:"])("%s is a wrong command line", (text) => {
    expect(() => parsePlace(text, "/work")).toThrow(UsageError);
  });
});
