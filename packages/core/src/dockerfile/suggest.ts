/** Distances from here on are not a slip of the finger. */
const LIMIT = 3;

/** Characters that may still be compared: thousands of misspelt names among thousands are not worth the wait. */
export interface Effort {
  left: number;
}

/** How words are compared, and how long. */
export interface SuggestOptions {
  /** Default: `exact`. */
  readonly case?: "fold" | "exact";
  /** Shared by many searches; without effort nothing is found. Default: no end. */
  readonly effort?: Effort;
}

/** The option that was most likely meant, in the case that `value` has, or none. */
export function suggest(
  value: string,
  options: Iterable<string>,
  { case: comparison = "exact", effort = { left: Infinity } }: SuggestOptions = {},
): string | undefined {
  const fold = (text: string) => (comparison === "fold" ? text.toLowerCase() : text);
  const wanted = fold(value);
  let best: string | undefined;
  let bestDistance = LIMIT;
  for (const option of options) {
    effort.left -= 1;
    if (Math.abs(option.length - wanted.length) >= LIMIT) continue;
    effort.left -= wanted.length;
    if (effort.left < 0) return undefined;
    const distance = editDistance(wanted, fold(option));
    // The very word is known, so the fault is another one.
    if (distance === 0) return undefined;
    if (distance < bestDistance) [best, bestDistance] = [option, distance];
  }
  if (best === undefined || comparison === "exact") return best;
  // A number has no case.
  const isCapital = value === value.toUpperCase() && value !== value.toLowerCase();
  return isCapital ? best.toUpperCase() : best.toLowerCase();
}

/** ` (did you mean x?)`, or nothing. */
export function didYouMean(suggestion: string | undefined): string {
  return suggestion === undefined ? "" : ` (did you mean ${suggestion}?)`;
}

/** Levenshtein's distance, or `LIMIT` where it is that or more: only cells this near the diagonal are looked at. */
function editDistance(a: string, b: string): number {
  // Cell `k` of a row stands for column `i + k - LIMIT`; the last one is a border.
  let row = new Uint8Array(2 * LIMIT + 2).fill(LIMIT);
  let next = new Uint8Array(row.length).fill(LIMIT);
  for (let k = LIMIT; k < 2 * LIMIT; k += 1) row[k] = k - LIMIT;
  for (let i = 1; i <= a.length; i += 1) {
    let left = LIMIT;
    let least = LIMIT;
    for (let k = 0; k <= 2 * LIMIT; k += 1) {
      const j = i + k - LIMIT;
      if (j < 0 || j > b.length) left = LIMIT;
      else if (j === 0) left = Math.min(i, LIMIT);
      else {
        const diagonal = (row[k] ?? LIMIT) + (a.charCodeAt(i - 1) === b.charCodeAt(j - 1) ? 0 : 1);
        left = Math.min(diagonal, (row[k + 1] ?? LIMIT) + 1, left + 1, LIMIT);
      }
      next[k] = left;
      least = Math.min(least, left);
    }
    if (least >= LIMIT) return LIMIT;
    [row, next] = [next, row];
  }
  return row[b.length - a.length + LIMIT] ?? LIMIT;
}
