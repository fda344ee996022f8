import { splitWords } from "./env-split.ts";

/** What `env` would start. */
export interface EnvCommand {
  /** The program's words; empty if there is none. */
  readonly words: readonly string[];
  /** What it sets for the program; `undefined`: taken away. */
  readonly changes: ReadonlyMap<string, string | undefined>;
  /** Starts with nothing of the environment. */
  readonly cleared: boolean;
  /** Had `-S`, which older versions do not know. */
  readonly splits: boolean;
  /** Had `-S` with `${VARIABLE}` in it. */
  readonly expands: boolean;
}

/** A variable may have `-S` and itself in it, without end. */
const MOST_SPLITS = 8;

/**
 * Reads the arguments of `env` (coreutils and busybox); `undefined`: an option that is not known here, or an error.
 *
 * @param environment - what `env` itself is started with
 */
export function parseEnvCommand(
  args: readonly string[],
  environment: ReadonlyMap<string, string>,
): EnvCommand | undefined {
  const ahead = [...args].reverse();
  const changes = new Map<string, string | undefined>();
  let cleared = false;
  let splits = 0;
  let expands = false;
  // Each round takes a word; `-S` adds as many as its text has.
  for (let word = ahead.pop(); word !== undefined; word = ahead.pop()) {
    const text = splitText(word, () => ahead.pop() ?? "");
    if (text !== undefined) {
      const split = splits < MOST_SPLITS ? splitWords(text, environment) : undefined;
      if (split === undefined) return undefined;
      splits++;
      expands ||= split.expands;
      ahead.push(...[...split.words].reverse());
      continue;
    }
    if (word === "--") continue;
    if (word === "-" || word === "-i" || word === "--ignore-environment") {
      cleared = true;
    } else if (word === "-v" || word === "--debug" || word === "-0") {
      continue;
    } else if (word === "-u" || word === "--unset") {
      changes.set(ahead.pop() ?? "", undefined);
    } else if (word.startsWith("--unset=")) {
      changes.set(word.slice(8), undefined);
    } else if (word.startsWith("-")) {
      return undefined;
    } else if (/^[^=]+=/.test(word)) {
      changes.set(word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1));
    } else {
      return { words: [word, ...ahead.reverse()], changes, cleared, splits: splits > 0, expands };
    }
  }
  return { words: [], changes, cleared, splits: splits > 0, expands };
}

/** What `-S` is given: behind it, or as the next word. */
function splitText(word: string, next: () => string): string | undefined {
  const option = /^(?:-v?S|--split-string(?:=|$))/.exec(word)?.[0];
  if (option === undefined) return undefined;
  return option === word && !option.endsWith("=") ? next() : word.slice(option.length);
}
