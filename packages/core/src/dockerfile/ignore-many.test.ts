import { expect, test } from "vitest";
import { matchTokens } from "./glob.ts";
import { compilePattern } from "./ignore-pattern.ts";
import { ignoreMatcher } from "./ignore.ts";
import { patternIndex } from "./pattern-index.ts";

/* Many patterns decide as they would one after the other. */

function* numbers(state: number): Generator<number, never, void> {
  for (;;) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield state >>> 0;
  }
}

const pieces = ["a", "b", "ab", "*", "**", "?", "a*", "*b", "*.js", "x.js", "[ab]", "a?b", "**a"];
const names = ["a", "b", "ab", "x.js", "a.js", "aab", "c"];

test("whatever matches is found by the index", () => {
  const random = numbers(20_261_121);
  const below = (limit: number): number => random.next().value % limit;
  const pick = (from: readonly string[], most: number): string =>
    Array.from({ length: 1 + below(most) }, () => from[below(from.length)] ?? "").join("/");
  let matches = 0;
  for (let round = 0; round < 500; round += 1) {
    const patterns = Array.from({ length: 20 }, () => compilePattern(pick(pieces, 3)).tokens);
    const candidates = patternIndex(patterns);
    for (let at = 0; at < 20; at += 1) {
      const path = pick(names, 4);
      const found = candidates(path);
      expect(found).toEqual([...new Set(found)].sort((a, b) => a - b));
      for (const [position, tokens] of patterns.entries()) {
        if (!matchTokens(tokens, path)) continue;
        matches += 1;
        expect(found, `${JSON.stringify(tokens)} ${path}`).toContain(position);
      }
    }
  }
  expect(matches).toBeGreaterThan(10_000);
});

test("ten thousand patterns and ten thousand paths", () => {
  const patterns = Array.from(
    { length: 10_000 },
    (_, at) => [`d${at}/sub`, `**/*.e${at}`, `l${at}/*.x`, `**/n${at}`, `*z${at}*`][at % 5] ?? "",
  );
  const matcher = ignoreMatcher([...patterns, "!d5/sub/kept"]);
  for (const path of ["d5/sub", "d5/sub/x", "a/b.e1", "l2/f.x", "q/n3/deep", "az4b"])
    expect(matcher.ignores(path), path).toBe(true);
  for (const path of ["d5", "d5/sub/kept", "a/b.e2", "l2/d/f.x", "q/n2"])
    expect(matcher.ignores(path), path).toBe(false);
  let ignored = 0;
  for (let at = 0; at < 10_000; at += 1) if (matcher.ignores(`a/b${at % 100}/file${at}.e${at}`)) ignored += 1;
  expect(ignored).toBe(2000);
});

test("ten thousand patterns that all match, each undoing the last", () => {
  const patterns = Array.from({ length: 10_000 }, (_, at) => (at % 2 === 0 ? "**" : "!**"));
  const matcher = ignoreMatcher(patterns);
  for (let at = 0; at < 100; at += 1) expect(matcher.ignores(`a/b/c${at}`)).toBe(false);
  expect(ignoreMatcher([...patterns, "**/c7"]).ignores("a/b/c7")).toBe(true);
});
