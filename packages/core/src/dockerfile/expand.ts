import type { Escape } from "./ast.ts";
import { WordError } from "./error.ts";
import { goQuote } from "./quote.ts";
import { cutPrefix, cutSuffix, replacePattern } from "./shell-pattern.ts";
import { WordList } from "./word-list.ts";

/** Gives a variable's value, or undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

/** What becomes of quotes, escapes and names that are not set. */
export interface ExpandOptions {
  /** `\` unless a directive says otherwise. */
  readonly escape?: Escape;
  /** `literal`: quotes are ordinary characters, as in a heredoc's body. `raw`: they work and stay. */
  readonly quotes?: "remove" | "literal" | "raw";
  /** `raw`: an escape stays before the character that it protects. */
  readonly escapes?: "remove" | "raw";
  /** `keep`: what uses a variable that is not set stays as it is written. */
  readonly unset?: "empty" | "keep";
}

/** A word with its variables in place. */
export interface Expansion {
  /** The text as one word. */
  readonly text: string;
  /** The same split at blanks that are neither quoted nor escaped. */
  readonly words: readonly string[];
  /** Names that were used and set. */
  readonly used: ReadonlySet<string>;
  /** Names that were used and not set. */
  readonly unset: ReadonlySet<string>;
}

/** How much longer than what is written an expansion may get: `ENV a=$a$a` doubles with each line. */
const GROWTH_LIMIT = 1024 * 1024;
const NESTING_LIMIT = 100;

/**
 * Expands variables and takes off quotes and escapes, as BuildKit's shell lexer does.
 *
 *     word      = *( "'" literal "'" / <"> text <"> / escape any / "$" name / "${" name operation "}" / any )
 *     operation = [ [":"] ("-" / "+" / "?") word ] / ("#" / "##" / "%" / "%%") pattern / "/" ["/"] pattern "/" word
 *
 * @throws {DockerfileError} `DOCKERFILE_INVALID`, naming the whole word
 */
export function expand(word: string, lookup: Lookup, options: ExpandOptions = {}): Expansion {
  const { escape = "\\", quotes = "remove", escapes = "remove", unset = "empty" } = options;
  if (!word.includes("$") && !word.includes(escape) && (quotes === "literal" || !/["']/.test(word))) {
    return new PlainExpansion(word);
  }
  const all = { escape, quotes, escapes, unset };
  const lexer = new Lexer(word, lookup, all);
  try {
    const text = lexer.read(undefined, escapes === "raw");
    return {
      text,
      // Most words are used as one, so the list is made for who asks.
      get words() {
        const words = new WordList();
        new Lexer(word, lookup, all).read(undefined, escapes === "raw", words);
        return words.finish();
      },
      used: lexer.used,
      unset: lexer.unset,
    };
  } catch (error) {
    if (!(error instanceof WordError)) throw error;
    throw new WordError(`failed to process ${goQuote(word)}: ${error.message}`, error.hint, word);
  }
}

const none: ReadonlySet<string> = new Set();

/** Nothing to expand; the words are split only for who asks. */
class PlainExpansion implements Expansion {
  readonly text: string;
  readonly used = none;
  readonly unset = none;

  constructor(text: string) {
    this.text = text;
  }

  get words(): readonly string[] {
    const words = new WordList();
    words.addExpanded(this.text);
    return words.finish();
  }
}

class Lexer {
  readonly used = new Set<string>();
  readonly unset = new Set<string>();
  readonly #characters: readonly string[];
  readonly #lookup: Lookup;
  readonly #options: Required<ExpandOptions>;
  #at = 0;
  #depth = 0;
  #grown = 0;

  constructor(word: string, lookup: Lookup, options: Required<ExpandOptions>) {
    this.#characters = Array.from(word);
    this.#lookup = lookup;
    this.#options = options;
  }

  /** Reads up to and over `stop`, or to the end. */
  read(stop: string | undefined, rawEscapes: boolean, words?: WordList): string {
    const { escape, quotes } = this.#options;
    let text = "";
    for (;;) {
      const character = this.#characters[this.#at];
      if (character === undefined) {
        if (stop === undefined) return text;
        throw new WordError(`unexpected end of statement while looking for matching ${stop}`);
      }
      if (character === stop) {
        this.#at += 1;
        return text;
      }
      let piece = character;
      if (character === "$") {
        piece = this.#dollar();
        words?.addExpanded(piece);
      } else if ((character === "'" || character === '"') && quotes !== "literal") {
        piece = character === "'" ? this.#singleQuoted() : this.#doubleQuoted();
        words?.addProtected(piece);
      } else if (character === escape) {
        const next = this.#characters[this.#at + 1];
        this.#at += 2;
        piece = next === undefined ? (rawEscapes ? escape : "") : (rawEscapes ? escape : "") + next;
        words?.addProtected(piece);
      } else {
        this.#at += 1;
        words?.addExpanded(piece);
      }
      text += piece;
    }
  }

  #singleQuoted(): string {
    const end = this.#characters.indexOf("'", this.#at + 1);
    if (end < 0) {
      this.#at = this.#characters.length;
      throw new WordError("unexpected end of statement while looking for matching single-quote");
    }
    const inner = this.#characters.slice(this.#at + 1, end).join("");
    this.#at = end + 1;
    return this.#options.quotes === "raw" ? `'${inner}'` : inner;
  }

  #doubleQuoted(): string {
    const { escape, quotes, escapes } = this.#options;
    let text = "";
    this.#at += 1;
    for (;;) {
      const character = this.#characters[this.#at];
      if (character === undefined) {
        throw new WordError("unexpected end of statement while looking for matching double-quote");
      }
      if (character === "$") {
        text += this.#dollar();
        continue;
      }
      this.#at += 1;
      if (character === '"') return quotes === "raw" ? `"${text}"` : text;
      const next = this.#characters[this.#at];
      if (character === escape && next !== undefined && ['"', "$", escape].includes(next)) {
        // Only these can be escaped; before anything else an escape is a character.
        this.#at += 1;
        text += escapes === "raw" ? escape + next : next;
      } else {
        // Kept as it is written, an escape stands before the character that it does not protect: itself.
        text += character === escape && escapes === "raw" ? escape + character : character;
      }
    }
  }

  #dollar(): string {
    this.#at += 1;
    if (this.#characters[this.#at] === "{") {
      this.#at += 1;
      this.#depth += 1;
      if (this.#depth > NESTING_LIMIT) {
        throw new WordError(`substitutions are nested more than ${NESTING_LIMIT} deep`);
      }
      const value = this.#braces();
      this.#depth -= 1;
      return value;
    }
    const name = this.#name();
    if (name === "") return "$";
    const value = this.#value(name);
    if (value === undefined && this.#options.unset === "keep") return `$${name}`;
    return this.#grow(value ?? "");
  }

  /** After `${`. */
  #braces(): string {
    const first = this.#characters[this.#at];
    if (first === undefined) throw new WordError("syntax error: missing '}'");
    if (["{", "}", ":"].includes(first)) throw new WordError("syntax error: bad substitution");
    const name = this.#name();
    const keep = this.#options.unset === "keep";
    let modifier = this.#next();
    if (modifier === "}") {
      const value = this.#value(name);
      return value === undefined && keep ? `\${${name}}` : this.#grow(value ?? "");
    }
    if (modifier === "/") return this.#replacement(name);
    const colon = modifier === ":" ? ":" : "";
    if (colon !== "") {
      modifier = this.#next();
      if (modifier === undefined) throw new WordError("syntax error: missing '}'");
    }
    const cuts = modifier === "#" || modifier === "%";
    const isKnown = modifier !== undefined && ["+", "-", "?", "#", "%"].includes(modifier);
    const unsupported = `unsupported modifier (${colon}${modifier ?? "\uFFFD"}) in substitution`;
    if (colon === "" ? !isKnown : cuts) throw new WordError(unsupported);
    // Behind a colon the operand is read first, and its own fault is the one that is told.
    const word = this.#operand("}", cuts, "syntax error: missing '}'");
    const value = this.#value(name);
    if (value === undefined && keep) return `\${${name}${colon}${modifier ?? ""}${word}}`;
    if (modifier === undefined || !isKnown) throw new WordError(unsupported);
    const present = value !== undefined && !(colon !== "" && value === "");
    if (modifier === "-") return this.#grow(present ? value : word);
    if (modifier === "+") return this.#grow(present ? word : "");
    if (modifier === "?") {
      if (present) return this.#grow(value);
      const state = value === undefined ? "unset" : "empty";
      throw new WordError(`${name}: ${word === "" ? `is not allowed to be ${state}` : word}`);
    }
    const longest = word.startsWith(modifier);
    const cut = modifier === "#" ? cutPrefix : cutSuffix;
    return this.#grow(cut(value ?? "", longest ? word.slice(1) : word, longest ? "longest" : "shortest"));
  }

  /** After `${name/`. */
  #replacement(name: string): string {
    const all = this.#characters[this.#at] === "/";
    if (all) this.#at += 1;
    const pattern = this.#operand("/", true, "syntax error: missing '/' in ${}");
    const replacement = this.#operand("}", true, "syntax error: missing '}'");
    const value = this.#value(name);
    if (value === undefined && this.#options.unset === "keep") {
      return `\${${name}/${pattern}/${replacement}}`;
    }
    const count = all ? "all" : "first";
    return this.#grow(replacePattern(value ?? "", pattern, replacement, count, GROWTH_LIMIT));
  }

  #operand(stop: string, rawEscapes: boolean, missing: string): string {
    try {
      return this.read(stop, rawEscapes);
    } catch (error) {
      if (error instanceof WordError && this.#at >= this.#characters.length) throw new WordError(missing);
      throw error;
    }
  }

  #next(): string | undefined {
    const character = this.#characters[this.#at];
    this.#at += 1;
    return character;
  }

  /** A name, a number, one of the special parameters, or nothing. */
  #name(): string {
    const first = this.#characters[this.#at] ?? "";
    const rest = /^\p{Nd}$/u.test(first)
      ? /^\p{Nd}$/u
      : /^[\p{L}_]$/u.test(first)
        ? /^[\p{L}\p{Nd}_]$/u
        : undefined;
    const start = this.#at;
    if (rest !== undefined) {
      while (rest.test(this.#characters[this.#at] ?? "")) this.#at += 1;
    } else if (/^[@*#?\-$!]$/.test(first)) {
      this.#at += 1;
    }
    return this.#characters.slice(start, this.#at).join("");
  }

  #value(name: string): string | undefined {
    const value = this.#lookup(name);
    (value === undefined ? this.unset : this.used).add(name);
    return value;
  }

  #grow(value: string): string {
    this.#grown += value.length;
    if (this.#grown > GROWTH_LIMIT) {
      throw new WordError(`the expansion has more than ${GROWTH_LIMIT} characters`);
    }
    return value;
  }
}
