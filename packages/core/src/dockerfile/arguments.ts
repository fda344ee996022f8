import type { Escape } from "./ast.ts";
import { isBlank, splitBlanks, splitOnce } from "./blank.ts";
import { WordError } from "./error.ts";
import { goQuote } from "./quote.ts";

export interface Arguments {
  readonly args: readonly string[];
  readonly json: boolean;
}

type Form = (rest: string, escape: Escape, keyword: string) => Arguments;

const plain = (args: readonly string[]): Arguments => ({ args, json: false });

const line: Form = (rest) => plain(rest === "" ? [] : [rest]);
const list: Form = (rest) => plain(splitBlanks(rest));
const jsonOrLine: Form = (rest, ...others) => jsonArray(rest) ?? line(rest, ...others);
const jsonOrList: Form = (rest, ...others) => jsonArray(rest) ?? list(rest, ...others);
const nameValues: Form = (rest, escape) => plain(splitWords(rest, escape));

/** The grammar of each instruction's arguments, after its flags. */
export const forms: ReadonlyMap<string, Form> = new Map<string, Form>([
  ["ADD", jsonOrList],
  ["ARG", nameValues],
  ["CMD", jsonOrLine],
  ["COPY", jsonOrList],
  ["ENTRYPOINT", jsonOrLine],
  ["ENV", pairs],
  ["EXPOSE", list],
  ["FROM", list],
  ["HEALTHCHECK", typed],
  ["LABEL", pairs],
  ["MAINTAINER", line],
  ["ONBUILD", () => plain([])],
  ["RUN", jsonOrLine],
  ["SHELL", jsonOrLine],
  ["STOPSIGNAL", line],
  ["USER", line],
  ["VOLUME", jsonOrList],
  ["WORKDIR", line],
]);

/** An array of strings; anything that is not JSON is undefined, for another form to read. */
function jsonArray(rest: string): Arguments | undefined {
  if (!rest.startsWith("[")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(rest);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  const args: string[] = [];
  for (const element of value) {
    if (typeof element !== "string") {
      throw new WordError("when using JSON array syntax, arrays must be comprised of strings only");
    }
    // A surrogate without its partner, as Go decodes it.
    args.push(element.replaceAll(/[\uD800-\uDFFF]/gu, "\uFFFD"));
  }
  return { args, json: true };
}

/** HEALTHCHECK's word, then its command. */
function typed(rest: string, escape: Escape, keyword: string): Arguments {
  const [type, command = ""] = splitOnce(rest);
  if (type === "") return plain([]);
  const { args, json } = jsonOrLine(command, escape, keyword);
  return { args: [type, ...args], json };
}

/** `key=value …`, or the old `key the rest of the line`. */
function pairs(rest: string, escape: Escape, keyword: string): Arguments {
  const words = splitWords(rest, escape);
  const [first] = words;
  if (first === undefined) return plain([]);
  if (!first.includes("=")) {
    const [key, value] = splitOnce(rest);
    if (value === undefined) throw new WordError(`${keyword} must have two arguments`);
    return plain([key, value, ""]);
  }
  return plain(
    words.flatMap((word) => {
      const equals = word.indexOf("=");
      if (equals < 0) {
        throw new WordError(
          `Syntax error - can't find = in ${goQuote(word)}. Must be of the form: name=value`,
        );
      }
      return [word.slice(0, equals), word.slice(equals + 1), "="];
    }),
  );
}

/** Words as a shell splits them, but with quotes and escapes still in them. */
function splitWords(rest: string, escape: Escape): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < rest.length; at += 1) {
    const character = rest.charAt(at);
    if (quote === "" && isBlank(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= "";
    if (character === escape && quote !== "'") {
      // An escape that protects nothing is not there.
      if (at + 1 === rest.length) break;
      at += 1;
      word += character + rest.charAt(at);
      continue;
    }
    if (character === quote) quote = "";
    else if (quote === "" && (character === "'" || character === '"')) quote = character;
    word += character;
  }
  if (word !== undefined) words.push(word);
  return words;
}
