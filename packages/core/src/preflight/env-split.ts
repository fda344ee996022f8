/** The words of `env -S`. */
export interface SplitWords {
  readonly words: readonly string[];
  /** Whether a variable was put in, which the run-time environment may set anew. */
  readonly expands: boolean;
}

/** What the kernel takes as one argument (MAX_ARG_STRLEN); variables could make more of a text, and of that more again. */
const LONGEST = 128 * 1024;
const blank = /[ \t\n\v\f\r]/;
const escapes: Readonly<Record<string, string>> = { f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };
const variable = /\$\{([A-Za-z_]\w*)\}/y;

/**
 * Splits a text as coreutils' `env -S` does (coreutils manual, "env invocation"): quotes anywhere in a word, escapes, `${VARIABLE}` of
 * env's own environment, and a comment; `undefined`: it ends with an error, or is too long.
 */
export function splitWords(text: string, environment: ReadonlyMap<string, string>): SplitWords | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  let expands = false;
  let length = text.length;
  const end = (): void => {
    if (word !== undefined) words.push(word);
    word = undefined;
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? "";
    const next = text[at + 1];
    if (quote === undefined ? char === '"' || char === "'" : char === quote) {
      quote = quote === undefined ? char : undefined;
      word ??= "";
    } else if (quote === undefined && blank.test(char)) {
      end();
    } else if (quote === undefined && word === undefined && char === "#") {
      break;
    } else if (char === "$" && quote !== "'") {
      variable.lastIndex = at;
      const [all, name] = variable.exec(text) ?? [];
      if (all === undefined || name === undefined) return undefined;
      const value = environment.get(name);
      length += value?.length ?? 0;
      if (length > LONGEST) return undefined;
      if (value !== undefined) word = (word ?? "") + value;
      expands = true;
      at += all.length - 1;
    } else if (char === "\\" && (quote !== "'" || next === "\\" || next === "'")) {
      if (next === undefined) return undefined;
      at++;
      if (next === "c") {
        if (quote === '"') return undefined;
        break;
      }
      if (next === "_" && quote === undefined) {
        end();
        continue;
      }
      const meant = /["#$'\\]/.test(next) ? next : next === "_" ? " " : escapes[next];
      if (meant === undefined) return undefined;
      word = (word ?? "") + meant;
    } else {
      word = (word ?? "") + char;
    }
  }
  if (quote !== undefined) return undefined;
  end();
  return { words, expands };
}
