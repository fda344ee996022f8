import { describe, expect, test } from "vitest";
import { normalizePlatform, parsePlatform } from "./platform.ts";

describe("a platform has its usual names", () => {
  test.each([
    ["linux/x86_64", { architecture: "amd64" }],
    ["linux/aarch64", { architecture: "arm64" }],
    ["linux/i386/v7", { architecture: "386" }],
    ["linux/armhf", { architecture: "arm", variant: "v7" }],
    ["linux/armel", { architecture: "arm", variant: "v6" }],
    ["linux/arm/6", { architecture: "arm", variant: "v6" }],
    ["linux/arm64/8", { architecture: "arm64" }],
    ["linux/arm64/9.0", { architecture: "arm64", variant: "v9" }],
    ["linux/arm/9", { architecture: "arm", variant: "9" }],
    ["linux/amd64/v1", { architecture: "amd64" }],
  ])("%s", (text, expected) => {
    expect(parsePlatform(text)).toEqual({ os: "linux", ...expected });
  });
});

test.each(["constructor", "__proto__", "valueOf", "toString"])(
  "%s, which every object has, is an architecture and a variant like others",
  (name) => {
    const strange = { os: "linux", architecture: name };
    expect(normalizePlatform(strange)).toEqual(strange);
    const arm = { os: "linux", architecture: "arm", variant: name };
    expect(normalizePlatform(arm)).toEqual(arm);
  },
);
