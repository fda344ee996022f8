import type { Escape } from "./ast.ts";
import { isBlank } from "./blank.ts";
import { WordError } from "./error.ts";
import { didYouMean, suggest } from "./suggest.ts";

/** Takes the words that begin with `--` off the front; a bare `--` ends them and is dropped. */
export function splitFlags(rest: string, escape: Escape): { flags: string[]; rest: string } {
  const flags: string[] = [];
  let at = 0;
  for (;;) {
    while (at < rest.length && isBlank(rest.charAt(at))) at += 1;
    if (!rest.startsWith("--", at)) return { flags, rest: rest.slice(at) };
    const word = readWord(rest, at, escape);
    at = word.end;
    if (word.text === "--") return { flags, rest: rest.slice(at).replace(/^[\t\v\f\r ]+/, "") };
    flags.push(word.text);
  }
}

/** A word up to a blank; quotes group and go, the escape protects one character everywhere. */
function readWord(text: string, start: number, escape: Escape): { text: string; end: number } {
  let word = "";
  let quote = "";
  let at = start;
  for (; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (quote === "" && isBlank(character)) break;
    if (character === quote) quote = "";
    else if (quote === "" && (character === "'" || character === '"')) quote = character;
    else if (character === escape) {
      at += 1;
      word += text.charAt(at);
    } else word += character;
  }
  return { text: word, end: at };
}

/** `text` has one value, `texts` may be given again, `switch` is on, `true` or `false`. */
export type FlagKind = "text" | "texts" | "switch";

/** The flags of one instruction, by name without `--`. */
export interface Flags {
  /** Absent when it was not given or is empty. */
  text(name: string): string | undefined;
  texts(name: string): readonly string[];
  switched(name: string): boolean | undefined;
}

/**
 * Reads flags by what the instruction knows.
 *
 * @throws {DockerfileError} `DOCKERFILE_INVALID`, with BuildKit's message
 */
export function readFlags(flags: readonly string[], known: Readonly<Record<string, FlagKind>>): Flags {
  const values = new Map<string, string[]>();
  for (const flag of flags) {
    const [, name = "", equals, value = ""] = /^--([^=]*)(=)?(.*)$/s.exec(flag) ?? [];
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) {
      const meant = didYouMean(suggest(name, Object.keys(known)));
      throw new WordError(`unknown flag: --${name}${meant}`, undefined, flag);
    }
    const given = values.get(name);
    if (given !== undefined && kind !== "texts")
      throw new WordError(`duplicate flag specified: --${name}`, undefined, flag);
    if (equals === undefined && kind !== "switch")
      throw new WordError(`missing a value on flag: --${name}`, undefined, flag);
    const read = kind === "switch" ? switchValue(name, equals, value) : value;
    if (given === undefined) values.set(name, [read]);
    else given.push(read);
  }
  return {
    text: (name) => values.get(name)?.[0] || undefined,
    texts: (name) => values.get(name) ?? [],
    switched: (name) => {
      const value = values.get(name)?.[0];
      return value === undefined ? undefined : value === "true";
    },
  };
}

function switchValue(name: string, equals: string | undefined, value: string): string {
  if (equals === undefined) return "true";
  const lower = value.toLowerCase();
  if (lower !== "true" && lower !== "false") {
    throw new WordError(`expecting boolean value for flag --${name}, not: ${value}`, undefined, `--${name}`);
  }
  return lower;
}
