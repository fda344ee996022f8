/** Distances from here on are not a slip of the finger. */
const LIMIT = 3;

/** The option that was most likely meant, in the case that `value` has, or none. */
export function suggest(
  value: string,
  options: Iterable<string>,
  comparison: { readonly case: "fold" | "exact" } = { case: "exact" },
): string | undefined {
  const fold = (text: string) => (comparison.case === "fold" ? text.toLowerCase() : text);
  const wanted = fold(value);
  let best: string | undefined;
  let bestDistance = LIMIT;
  for (const option of options) {
    if (Math.abs(option.length - wanted.length) >= LIMIT) continue;
    const distance = editDistance(wanted, fold(option));
    // The very word is known, so the fault is another one.
    if (distance === 0) return undefined;
    if (distance < bestDistance) [best, bestDistance] = [option, distance];
  }
  if (best === undefined || comparison.case === "exact") return best;
  return value === value.toUpperCase() ? best.toUpperCase() : best.toLowerCase();
}

/** ` (did you mean x?)`, or nothing. */
export function didYouMean(suggestion: string | undefined): string {
  return suggestion === undefined ? "" : ` (did you mean ${suggestion}?)`;
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 0; i < a.length; i += 1) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j += 1) {
      const substitution = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(substitution, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
