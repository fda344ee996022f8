import { WordError } from "./error.ts";

/**
 * A pattern of `${x#…}`, `${x%…}` and `${x/…/…}`: the literal runs between its `*`s, each an array of
 * characters in which `undefined` is a `?`. There is always at least one run.
 *
 * Matching needs no backtracking: the runs are found from the left one after another.
 */
type Runs = readonly (readonly (string | undefined)[])[];

/** The shortest (or longest) prefix that matches is cut off. */
export function cutPrefix(value: string, pattern: string, reach: "shortest" | "longest"): string {
  const characters = Array.from(value);
  const end = prefixEnd(characters, parsePattern(pattern), 0, reach, { left: MOST_COMPARED });
  return end === undefined ? value : characters.slice(end).join("");
}

/** The shortest (or longest) suffix that matches is cut off. */
export function cutSuffix(value: string, pattern: string, reach: "shortest" | "longest"): string {
  const mirrored = parsePattern(pattern)
    .map((run) => [...run].reverse())
    .reverse();
  const characters = Array.from(value).reverse();
  const end = prefixEnd(characters, mirrored, 0, reach, { left: MOST_COMPARED });
  return end === undefined ? value : characters.slice(end).reverse().join("");
}

/**
 * The leftmost, longest match, or every one, becomes `replacement`.
 *
 * @param enough - characters, beyond which the result is not needed
 */
export function replacePattern(
  value: string,
  pattern: string,
  replacement: string,
  count: "first" | "all",
  enough: number,
): string {
  const runs = parsePattern(pattern);
  const [head = []] = runs;
  const characters = Array.from(value);
  const work: Work = { left: MOST_COMPARED };
  const result: string[] = [];
  let size = 0;
  let copied = 0;
  let afterMatch = -1;
  for (let from = 0; from <= characters.length;) {
    const start = find(characters, head, from, work);
    const end = start === undefined ? undefined : prefixEnd(characters, runs, start, "longest", work);
    if (start === undefined) break;
    if (end === undefined) {
      // What fails from the first place of a line fails from its others too.
      const line = characters.indexOf("\n", start);
      if (line < 0) break;
      from = line + 1;
      continue;
    }
    // Go's rule: an empty match right after a match does not count.
    if (end > start || start !== afterMatch) {
      result.push(characters.slice(copied, start).join(""), replacement);
      copied = end;
      afterMatch = end;
      size += replacement.length;
      if (count === "first" || size > enough) break;
    }
    from = end > start ? end : start + 1;
  }
  return result.join("") + characters.slice(copied).join("");
}

function parsePattern(pattern: string): Runs {
  const runs: (string | undefined)[][] = [[]];
  const characters = Array.from(pattern);
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index];
    if (character === "*") runs.push([]);
    else if (character === "?") runs.at(-1)?.push(undefined);
    else if (character !== "\\") runs.at(-1)?.push(character);
    else {
      index += 1;
      const escaped = characters[index] ?? "\uFFFD";
      if (!["*", "?", "\\", "}", "/"].includes(escaped)) {
        throw new WordError(`invalid pattern (${pattern}) in substitution: invalid escape '\\${escaped}'`);
      }
      runs.at(-1)?.push(escaped);
    }
  }
  return runs;
}

/** Where a match that begins at `start` ends. */
function prefixEnd(
  characters: readonly string[],
  runs: Runs,
  start: number,
  reach: "shortest" | "longest",
  work: Work,
): number | undefined {
  const [head = [], ...others] = runs;
  if (!matchesAt(characters, head, start, work)) return undefined;
  let end = start + head.length;
  for (const [index, run] of others.entries()) {
    const last = index === others.length - 1;
    // As in Go's regular expressions, `*` and `?` stay in their line.
    const line = characters.indexOf("\n", end);
    const limit = line < 0 ? characters.length : line;
    const at =
      last && reach === "longest"
        ? findLast(characters, run, end, work, limit)
        : find(characters, run, end, work, limit);
    if (at === undefined) return undefined;
    end = at + run.length;
  }
  return end;
}

type Run = Runs[number];

/** Characters that may still be compared: a long run that nearly fits everywhere must not take for ever. */
interface Work {
  left: number;
}

const MOST_COMPARED = 2 ** 26;

function matchesAt(characters: readonly string[], run: Run, at: number, work: Work): boolean {
  if (at + run.length > characters.length) return false;
  const differs = run.findIndex((wanted, index) => {
    const character = characters[at + index];
    return wanted === undefined ? character === "\n" : wanted !== character;
  });
  work.left -= differs < 0 ? run.length : differs;
  if (work.left < 0) throw new WordError("the pattern in a substitution takes too long to match");
  return differs < 0;
}

function find(
  characters: readonly string[],
  run: Run,
  from: number,
  work: Work,
  limit = characters.length,
): number | undefined {
  for (let at = from; at <= limit && at + run.length <= characters.length; at += 1) {
    if (matchesAt(characters, run, at, work)) return at;
  }
  return undefined;
}

function findLast(
  characters: readonly string[],
  run: Run,
  from: number,
  work: Work,
  limit: number,
): number | undefined {
  for (let at = Math.min(limit, characters.length - run.length); at >= from; at -= 1) {
    if (matchesAt(characters, run, at, work)) return at;
  }
  return undefined;
}
