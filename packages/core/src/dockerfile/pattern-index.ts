import type { Token } from "./glob.ts";

/**
 * Finds those of many patterns that might match a path, by what their matches have in common, so that the others need not be
 * tried.
 *
 * @returns gives the positions of all patterns that match the path, and maybe of others; ascending
 */
export function patternIndex(patterns: readonly (readonly Token[])[]): (path: string) => readonly number[] {
  const whole = new Map<string, number[]>();
  const first = new Map<string, number[]>();
  const last = new Map<string, number[]>();
  /** By length. */
  const ends = new Map<number, Map<string, number[]>>();
  /** With a text that whatever matches has in it. */
  const others: { readonly position: number; readonly needle: string }[] = [];
  for (const [position, tokens] of patterns.entries()) {
    const [begin, next] = tokens;
    const end = tokens.at(-1);
    const { firstName, lastName } = namesOf(tokens);
    if (begin === undefined) add(whole, "", position);
    else if (begin.kind === "text" && next === undefined) add(whole, begin.text, position);
    else if (lastName !== undefined) add(last, lastName, position);
    else if (firstName !== undefined) add(first, firstName, position);
    else if (end?.kind === "text") {
      const { length } = end.text;
      const known = ends.get(length) ?? new Map<string, number[]>();
      ends.set(length, known);
      add(known, end.text, position);
    } else others.push({ position, needle: longestText(tokens) });
  }
  return (path) => {
    const slash = path.indexOf("/");
    const found = [
      whole.get(path),
      first.get(slash < 0 ? path : path.slice(0, slash)),
      last.get(path.slice(path.lastIndexOf("/") + 1)),
      ...Array.from(ends, ([length, texts]) => texts.get(path.slice(-length))),
    ];
    const positions = found.flatMap((some) => some ?? []);
    for (const { position, needle } of others) if (path.includes(needle)) positions.push(position);
    return positions.sort((a, b) => a - b);
  };
}

/** The first and the last name of whatever matches, where the pattern says it in full. */
function namesOf(tokens: readonly Token[]): {
  readonly firstName: string | undefined;
  readonly lastName: string | undefined;
} {
  const begin = tokens[0];
  const end = tokens.at(-1);
  const slash = begin?.kind === "text" ? begin.text.indexOf("/") : -1;
  const lastSlash = end?.kind === "text" ? end.text.lastIndexOf("/") : -1;
  // `**/name`: what stands before is nothing or ends with a slash.
  const standsAlone = end?.kind === "text" && tokens.at(-2)?.kind === "directories";
  return {
    firstName: begin?.kind === "text" && slash >= 0 ? begin.text.slice(0, slash) : undefined,
    lastName:
      end?.kind === "text" && (lastSlash >= 0 || standsAlone) ? end.text.slice(lastSlash + 1) : undefined,
  };
}

function longestText(tokens: readonly Token[]): string {
  const texts = tokens.map((token) => (token.kind === "text" ? token.text : ""));
  return texts.reduce((longest, text) => (text.length > longest.length ? text : longest), "");
}

function add(positions: Map<string, number[]>, key: string, position: number): void {
  const known = positions.get(key);
  if (known === undefined) positions.set(key, [position]);
  else known.push(position);
}
