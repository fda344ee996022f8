import { describe, expect, test } from "vitest";
import { MediaType } from "./media-type.ts";
import type { Index } from "./manifest.ts";
import { parsePlatform } from "./platform.ts";
import { selectPlatform } from "./select-platform.ts";

const index = (...platforms: string[]): Index => ({
  schemaVersion: 2,
  manifests: platforms.map((text, position) => ({
    mediaType: MediaType.ociManifest,
    digest: `sha256:${String(position).padStart(64, "0")}`,
    size: 1,
    platform: text === "unknown/unknown" ? { os: "unknown", architecture: "unknown" } : rawPlatform(text),
  })),
});
const rawPlatform = (text: string) => {
  const [os = "", architecture = "", variant] = text.split("/");
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
};
const chosen = (offered: readonly string[], wanted: string): string | undefined =>
  offered[Number(selectPlatform(index(...offered), parsePlatform(wanted)).digest.slice(7))];

describe("the platform of an index", () => {
  test.each([
    [["linux/amd64", "linux/arm64/v8"], "linux/arm64", "linux/arm64/v8"],
    [["linux/amd64", "linux/arm64"], "linux/arm64/v8", "linux/arm64"],
    [["unknown/unknown", "linux/amd64"], "linux/amd64", "linux/amd64"],
    [["linux/arm/v6", "linux/arm/v7"], "linux/arm", "linux/arm/v7"],
    [["linux/arm/v5", "linux/arm/v6"], "linux/arm/v7", "linux/arm/v6"],
    [["linux/amd64", "linux/amd64/v2"], "linux/amd64/v3", "linux/amd64/v2"],
    [["linux/amd64"], "linux/amd64/v4", "linux/amd64"],
  ])("of %j, %s is %s", (offered, wanted, expected) => {
    expect(chosen(offered, wanted)).toBe(expected);
  });

  test("that is not there is an error that lists what is", () => {
    expect(() => chosen(["linux/amd64", "linux/arm64/v8", "unknown/unknown"], "linux/s390x")).toThrow(
      "The image is not for linux/s390x; it is for linux/amd64, linux/arm64.",
    );
  });

  test("above the wanted one is not taken", () => {
    expect(() => chosen(["linux/arm/v7"], "linux/arm/v6")).toThrow("The image is not for linux/arm/v6");
  });
});
