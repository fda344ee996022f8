import { formatPlatform } from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { parseChmod } from "./chmod.ts";
import { isGitReference } from "./git-reference.ts";
import { parsePlatformWord } from "./platform.ts";
import { parseSignal } from "./signal.ts";

// What the Go libraries answer that BuildKit is made of.
describe("the small grammars", () => {
  test.each([
    ["=t", 0o640, 0o1640],
    ["-rt", 0o1755, 0o755],
    ["+ts", 0o644, 0o1644],
    ["u=t", 0o755, 0o1055],
    ["=ox", 0o644, 0o111],
    ["g=uX", 0o740, 0o770],
    ["u=rwx-X", 0o644, 0o644],
    ["u+x-wX", 0o644, 0o444],
    ["=rwx-rX", 0o644, 0o222],
    ["-tu", 0o755, 0o755],
    ["o=ut", 0o640, 0o646],
    ["=r=Xu", 0o644, 0o444],
    ["=ur", 0o700, 0o444],
  ])("--chmod=%s of %i is %i", (text, from, to) => {
    expect(parseChmod(text)(from, false).toString(8)).toBe(to.toString(8));
  });

  test.each([
    ["macos/arm64", "darwin/arm64"],
    ["linux/armhf/v8", "linux/arm/v7"],
    ["linux/armel/v7", "linux/arm/v6"],
    ["linux/arm/8", "linux/arm/v8"],
    ["linux/arm64/8", "linux/arm64/v8"],
    ["linux/arm64/v9.0", "linux/arm64/v9"],
    ["linux/arm64/7", "linux/arm64/7"],
    ["linux/riscv64/8", "linux/riscv64/8"],
    ["linux/i386/v2", "linux/386/v7"],
  ])("the platform %s is %s", (text, platform) => {
    const parsed = parsePlatformWord(text);
    expect(formatPlatform({ ...parsed, variant: parsed.variant ?? "v7" }).startsWith(platform)).toBe(true);
  });

  test("a platform with a wildcard is told so", () => {
    expect(() => parsePlatformWord("linux/*")).toThrow('"linux/*": wildcards not yet supported');
  });

  test.each(["33", "99", "+7"])("%s is a signal", (text) => {
    expect(parseSignal(text)).toBe(Number(text));
  });

  test("0 is no signal", () => {
    expect(() => parseSignal("0")).toThrow("invalid signal: 0");
  });

  test("whatever is below github.com/ is a git reference", () => {
    expect(isGitReference("github.com/owner")).toBe(true);
  });
});
