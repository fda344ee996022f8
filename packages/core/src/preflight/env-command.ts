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
}

/** Reads the arguments of `env` (coreutils and busybox); `undefined`: an option that is not known here. */
export function parseEnvCommand(args: readonly string[]): EnvCommand | undefined {
  const ahead = [...args].reverse();
  const changes = new Map<string, string | undefined>();
  let cleared = false;
  let splits = false;
  const split = (text: string): void => {
    splits = true;
    ahead.push(...splitString(text).reverse());
  };
  // Each round takes a word; `-S` adds as many as its text has.
  for (let word = ahead.pop(); word !== undefined; word = ahead.pop()) {
    if (word === "--") continue;
    if (word === "-" || word === "-i" || word === "--ignore-environment") {
      cleared = true;
    } else if (word === "-v" || word === "--debug" || word === "-0") {
      continue;
    } else if (word === "-u" || word === "--unset") {
      changes.set(ahead.pop() ?? "", undefined);
    } else if (word.startsWith("--unset=")) {
      changes.set(word.slice(8), undefined);
    } else if (word === "-S" || word === "--split-string") {
      split(ahead.pop() ?? "");
    } else if (word.startsWith("-S") || word.startsWith("--split-string=")) {
      split(word.replace(/^(?:-S|--split-string=)/, ""));
    } else if (word.startsWith("-vS")) {
      split(word.slice(3));
    } else if (word.startsWith("-")) {
      return undefined;
    } else if (/^[^=]+=/.test(word)) {
      changes.set(word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1));
    } else {
      return { words: [word, ...ahead.reverse()], changes, cleared, splits };
    }
  }
  return { words: [], changes, cleared, splits };
}

/** Words in quotes and between blanks; escapes other than of quotes and blanks are rare enough to be left. */
function splitString(text: string): string[] {
  return [...text.matchAll(/(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|((?:[^\s"'\\]|\\.)+))/g)].map(
    ([, double, single, bare]) => (double ?? single ?? bare ?? "").replace(/\\(.)/g, "$1"),
  );
}
