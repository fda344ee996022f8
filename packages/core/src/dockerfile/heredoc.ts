import type { Heredoc } from "./ast.ts";
import { WordError } from "./error.ts";
import { expand } from "./expand.ts";

/** What a word like `3<<-"EOF"` announces; the body follows the line. */
export type HeredocStart = Omit<Heredoc, "content">;

const unset = (): undefined => undefined;

/** The heredocs that a logical line announces, in order, each when it is asked for. */
export function* heredocStarts(line: string): Generator<HeredocStart, void, void> {
  if (!line.includes("<<")) return;
  for (const word of shellWords(line)) {
    const start = parseHeredocWord(word);
    if (start !== undefined) yield start;
  }
}

function shellWords(line: string): readonly string[] {
  try {
    // Never the escape directive's character: heredocs are the shell's.
    return expand(line, unset, { quotes: "raw", escapes: "raw", unset: "keep" }).words;
  } catch (error) {
    if (error instanceof WordError) return [];
    throw error;
  }
}

/** Reads `[fd]<<[-]name`, or undefined when the word is nothing of the kind. */
export function parseHeredocWord(word: string): HeredocStart | undefined {
  const [, fd = "", dash = "", rest = ""] = /^(\d*)<<(-?)\s*([^<]*)$/.exec(word) ?? [];
  if (rest === "") return undefined;
  try {
    const raw = expand(rest, unset, { quotes: "raw", escapes: "raw", unset: "keep" });
    if (raw.words.length !== 1) return undefined;
    const name = expand(rest, unset, { unset: "keep" }).text;
    return { name, fd: Number(fd), chomp: dash !== "", expand: !hasOpenQuote(rest) };
  } catch (error) {
    if (error instanceof WordError) return undefined;
    throw error;
  }
}

/** The body without each line's leading tabs. */
export function chompHeredoc(content: string): string {
  // Not the flag m: a lone \r begins no line here.
  return content.replaceAll(/(^|\n)\t+/g, "$1");
}

function hasOpenQuote(word: string): boolean {
  return /["']/.test(word.replaceAll(/\\./gs, ""));
}
