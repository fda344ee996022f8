import { expect, test } from "vitest";
import { expand } from "./expand.ts";
import { ignoreMatcher } from "./ignore.ts";

const values: Readonly<Record<string, string>> = { A: "a", SLASHES: "x/y/z", LINES: "ab\nacb" };
const lookup = (name: string) => values[name];

// What BuildKit's shell.Lex answers.
test.each([
  ["${A:${B", "syntax error: missing '}'"],
  ["${A:yes}", "unsupported modifier (:y) in substitution"],
  ["${A:#x}", "unsupported modifier (:#) in substitution"],
  ["\u00a0${A", 'failed to process "\\u00a0${A"'],
  ["${SLASHES/\\", "missing '/' in ${}"],
])("%j is a fault: %s", (word, message) => {
  expect(() => expand(word, lookup)).toThrow(message);
});

test.each([
  ['"a\\b"', '"a\\\\b"'],
  ["${B//x/y}", "${B/x/y}"],
  ["${B:yes}", "${B:yes}"],
])("kept as it is written, %s is %s", (word, text) => {
  expect(expand(word, lookup, { quotes: "raw", escapes: "raw", unset: "keep" }).text).toBe(text);
});

test.each([
  ["${LINES##*b}", "\nacb"],
  ["${LINES%%a*}", "ab\n"],
  ["${LINES/a?b/x}", "ab\nx"],
  ["${LINES//a*c/x}", "ab\nxb"],
  ["${LINES#ab?}", "ab\nacb"],
])("a wildcard stays in its line: %s is %j", (word, text) => {
  expect(expand(word, lookup).text).toBe(text);
});

test("a pattern of an ignore file has no class that goes backwards", () => {
  expect(() => ignoreMatcher(["a[z-a]"])).toThrow("syntax error in pattern");
});

test.each([
  ["${A//x/$B}", { A: "x".repeat(50_000), B: "y".repeat(50_000) }, "the expansion has more than"],
  ["${A/$B/}", { A: "x".repeat(1_000_000), B: `${"x".repeat(50_000)}y` }, "takes too long to match"],
  ["${A%%$B}", { A: "x".repeat(1_000_000), B: `y${"x".repeat(50_000)}*` }, "takes too long to match"],
  ["${A#$B}", { A: "x".repeat(1_000_000), B: `*${"x".repeat(50_000)}y` }, "takes too long to match"],
])("%s is refused where it would take all memory, or for ever", (word, values, message) => {
  const lookup = (name: string): string | undefined => new Map(Object.entries(values)).get(name);
  expect(() => expand(word, lookup)).toThrow(message);
});
