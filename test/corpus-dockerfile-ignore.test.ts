import { ignoreMatcher, parseIgnoreFile } from "@undocked/core/dockerfile";
import { expect, test } from "vitest";
import { readCorpus } from "./support/corpus.ts";

interface Corpus {
  readonly patternCases: readonly {
    readonly name?: string;
    readonly patterns: readonly string[];
    readonly path: string;
    readonly expected: { readonly ignored?: boolean; readonly error?: string };
  }[];
  readonly ignoreFileCases: readonly {
    readonly name: string;
    readonly content: string;
    readonly expected: { readonly patterns: readonly string[] };
  }[];
  readonly compileCases: readonly { readonly pattern: string; readonly regexp: string }[];
}

const { patternCases, ignoreFileCases, compileCases } = readCorpus<Corpus>("dockerfile/dockerignore.json");
const regular = compileCases.filter(({ regexp }) => regexp !== "");
console.log(
  `dockerignore.json: ${patternCases.length} patterns, ${ignoreFileCases.length} files, ${regular.length} expressions`,
);

test.each(patternCases)("$patterns on $path", ({ patterns, path, expected }) => {
  if (expected.error === undefined) expect(ignoreMatcher(patterns).ignores(path)).toBe(expected.ignored);
  else expect(() => ignoreMatcher(patterns)).toThrow(expected.error);
});

test.each(ignoreFileCases)("the file $name", ({ content, expected }) => {
  expect(parseIgnoreFile(content)).toEqual(expected.patterns);
});

const alphabet = ["a", "b", "d", "file", "dir", "txt", ".", "/", "abc", "def", "c", "e", "x"];

test.each(regular)("$pattern is the expression $regexp", ({ pattern, regexp }) => {
  const expression = new RegExp(regexp, "su");
  const paths = alphabet.flatMap((a) => alphabet.flatMap((b) => alphabet.map((c) => a + b + c)));
  for (const path of paths.filter((path) => !/^\/|\/$|\/\//.test(path))) {
    // The expression is for one path; the matcher looks at its ancestors too.
    const ancestors = path.split("/").map((_, index, parts) => parts.slice(0, index + 1).join("/"));
    const expected = ancestors.some((ancestor) => expression.test(ancestor));
    expect([path, ignoreMatcher([pattern]).ignores(path)]).toEqual([path, expected]);
  }
});
