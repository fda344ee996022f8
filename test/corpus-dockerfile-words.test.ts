import { expand, type ExpandOptions } from "@undocked/core/dockerfile";
import { expect, test } from "vitest";
import { readCorpus } from "./support/corpus.ts";

interface Case {
  readonly name: string;
  readonly word: string;
  readonly env: Readonly<Record<string, string>>;
  readonly escape?: "`";
  readonly skipProcessQuotes?: true;
  readonly rawQuotes?: true;
  readonly rawEscapes?: true;
  readonly skipUnsetEnv?: true;
  readonly expected: {
    readonly result?: string;
    readonly words?: readonly string[];
    readonly matched?: readonly string[];
    readonly unmatched?: readonly string[];
    readonly error?: string;
  };
}

const { cases } = readCorpus<{ cases: readonly Case[] }>("dockerfile/shell-words.json");
const split = cases.filter(({ expected }) => expected.words !== undefined);
console.log(
  `shell-words.json: ${cases.length} cases; ${split.filter(losesText).length} word lists left out that lose text`,
);

test.each(cases)("one word: $name", ({ word, env, expected, ...options }) => {
  const run = () => expand(word, (name) => env[name], optionsOf(options));
  if (expected.error !== undefined) {
    expect(run).toThrow(expected.error);
    return;
  }
  const { text, used, unset } = run();
  expect({ text, used: [...used].sort(), unset: [...unset].sort() }).toEqual({
    text: expected.result,
    used: expected.matched,
    unset: expected.unmatched,
  });
});

for (const { name, word, env, expected, ...options } of split) {
  test.skipIf(losesText({ expected }))(`word list: ${name}`, () => {
    const { words } = expand(word, (variable) => env[variable], optionsOf(options));
    expect(words).toEqual(expected.words);
  });
}

/** Upstream shares one buffer between a word and the expansions nested in it: what stood before one is lost. */
function losesText({ expected }: Pick<Case, "expected">): boolean {
  const letters = (text: string) => text.replaceAll(/\s/g, "");
  return letters((expected.words ?? []).join("")) !== letters(expected.result ?? "");
}

function optionsOf(options: Partial<Case>): ExpandOptions {
  return {
    escape: options.escape ?? "\\",
    quotes: options.skipProcessQuotes ? "literal" : options.rawQuotes ? "raw" : "remove",
    escapes: options.rawEscapes ? "raw" : "remove",
    unset: options.skipUnsetEnv ? "keep" : "empty",
  };
}
