/** A part of a compiled pattern. */
export type Token =
  | { readonly kind: "text"; readonly text: string }
  /** One character that is not `/`. */
  | { readonly kind: "one" }
  /** Any characters but `/`. */
  | { readonly kind: "star" }
  /** Any characters. */
  | { readonly kind: "any" }
  /** Nothing, or anything that ends in `/`. */
  | { readonly kind: "directories" }
  | {
      readonly kind: "class";
      readonly negated: boolean;
      readonly ranges: readonly (readonly [number, number])[];
    };

/**
 * Whether the tokens match the whole path.
 *
 * A wildcard is never tried twice at the same place, so that no pattern takes longer than the product of its
 * length and the path's.
 */
export function matchTokens(tokens: readonly Token[], path: string): boolean {
  const tried = new Set<number>();
  const open: [number, number][] = [[0, 0]];
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    if (run(tokens, path, state, open, tried)) return true;
  }
  return false;
}

/** Follows one way to its end, and leaves the others in `open`. */
function run(
  tokens: readonly Token[],
  path: string,
  [from, start]: readonly [number, number],
  open: [number, number][],
  tried: Set<number>,
): boolean {
  let at = start;
  for (let index = from; index < tokens.length; index += 1) {
    const token = tokens[index];
    if (token === undefined) return false;
    switch (token.kind) {
      case "text":
        if (!path.startsWith(token.text, at)) return false;
        at += token.text.length;
        break;
      case "one":
      case "class": {
        const point = path.codePointAt(at);
        if (point === undefined || !accepts(token, point)) return false;
        at += point > 0xffff ? 2 : 1;
        break;
      }
      case "star":
      case "any":
      case "directories": {
        const key = index * (path.length + 1) + at;
        if (tried.has(key)) return false;
        tried.add(key);
        const next = further(token.kind, path, at);
        if (next !== undefined) open.push([index, next]);
        break;
      }
    }
  }
  return at === path.length;
}

const SLASH = 0x2f;

function accepts(token: Extract<Token, { kind: "one" | "class" }>, point: number): boolean {
  if (token.kind === "one") return point !== SLASH;
  return token.ranges.some(([low, high]) => low <= point && point <= high) !== token.negated;
}

/** The next longer stretch that a wildcard could take. */
function further(kind: "star" | "any" | "directories", path: string, at: number): number | undefined {
  if (kind === "directories") {
    const slash = path.indexOf("/", at);
    return slash < 0 ? undefined : slash + 1;
  }
  if (at >= path.length || (kind === "star" && path.charCodeAt(at) === SLASH)) return undefined;
  return at + 1;
}

/** The regular expressions' named classes that patterns of an ignore file may hold. */
const NAMED: Readonly<Record<string, string>> = {
  alnum: "09AZaz",
  alpha: "AZaz",
  ascii: "\0\x7f",
  blank: "\t\t  ",
  cntrl: "\0\x1f\x7f\x7f",
  digit: "09",
  graph: "!~",
  lower: "az",
  print: " ~",
  punct: "!/:@[`{~",
  space: "\t\r  ",
  upper: "AZ",
  word: "09AZaz__",
  xdigit: "09AFaf",
};

/**
 * Reads a class that begins at `[`, by Go's rules: `^` negates, `\` escapes, a bare `-` or `]` is no member.
 *
 * @returns the class and the index after its `]`, or undefined when it is malformed
 */
export function readClass(
  pattern: readonly string[],
  start: number,
  names: "with-names" | "without-names",
): { token: Token; end: number } | undefined {
  let at = start + 1;
  const negated = pattern[at] === "^";
  if (negated) at += 1;
  const ranges: [number, number][] = [];
  const member = (): number | undefined => {
    if (pattern[at] === "\\") at += 1;
    else if (pattern[at] === "-" || pattern[at] === "]") return undefined;
    const point = pattern[at]?.codePointAt(0);
    at += 1;
    return point;
  };
  while (pattern[at] !== "]" || ranges.length === 0) {
    const name = names === "with-names" ? readName(pattern, at) : undefined;
    if (name !== undefined) {
      ranges.push(...name);
      at = pattern.indexOf("]", at) + 1;
      continue;
    }
    const low = member();
    let high = low;
    if (low !== undefined && pattern[at] === "-") {
      at += 1;
      high = member();
    }
    // Go wants the closing bracket to be there before it looks at what follows a member.
    if (low === undefined || high === undefined || at >= pattern.length) return undefined;
    // Go's path.Match takes `[b-a]` for a class without members, its regular expressions do not take it.
    if (names === "with-names" && high < low) return undefined;
    ranges.push([low, high]);
  }
  return { token: { kind: "class", negated, ranges }, end: at + 1 };
}

function readName(pattern: readonly string[], at: number): [number, number][] | undefined {
  const match = /^\[:([a-z]+):\]/.exec(pattern.slice(at, at + 12).join(""));
  const bounds = match?.[1] !== undefined && Object.hasOwn(NAMED, match[1]) ? NAMED[match[1]] : undefined;
  if (bounds === undefined) return undefined;
  const ranges: [number, number][] = [];
  for (let index = 0; index < bounds.length; index += 2) {
    ranges.push([bounds.charCodeAt(index), bounds.charCodeAt(index + 1)]);
  }
  return ranges;
}
