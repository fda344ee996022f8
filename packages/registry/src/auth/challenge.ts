/** One way in that a server offers (RFC 9110, 11.6.1). */
export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case, values as they came. */
  readonly params: ReadonlyMap<string, string>;
  readonly token68?: string;
  /** A parameter came twice, so nobody knows which is meant: never to be answered. */
  readonly ambiguous?: true;
}

// Longer than any server's; what is longer is cut.
const LENGTH_LIMIT = 128 * 1024;
const PARAMETER_LIMIT = 256;

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y;
// Servers send URLs without quotes.
const BARE_VALUE = /[^\s,"]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/sy;
const BLANK = /[ \t]*/y;
const SEPARATORS = /[ \t,]*/y;

/**
 * Reads the `WWW-Authenticate` header, in which several challenges may stand and which fetch joins with commas.
 *
 * Lenient: what was read before a fault is kept. Never throws.
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const text = header.slice(0, LENGTH_LIMIT);
  const challenges: Challenge[] = [];
  let position = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = position;
    const match = pattern.exec(text);
    if (match === null) return undefined;
    position = pattern.lastIndex;
    return match;
  };
  let open: { params: Map<string, string>; ambiguous?: true } | undefined;
  let parameters = 0;
  while (position < text.length && parameters <= PARAMETER_LIMIT) {
    take(SEPARATORS);
    const word = take(TOKEN)?.[0];
    if (word === undefined) break;
    const afterWord = position;
    take(BLANK);
    if (text[position] === "=" && open !== undefined) {
      position += 1;
      take(BLANK);
      const value = takeValue(take);
      if (value === undefined) break;
      parameters += 1;
      const name = word.toLowerCase();
      if (open.params.has(name)) open.ambiguous = true;
      else open.params.set(name, value);
      // Without a comma nobody can tell what the next word is.
      take(BLANK);
      if (position < text.length && text[position] !== ",") break;
      continue;
    }
    const isBareWord = position >= text.length || text[position] === ",";
    // A word between commas is a scheme without parameters, or a parameter without a value at the very end.
    if (isBareWord && position >= text.length && open !== undefined) break;
    if (!isBareWord && position === afterWord) break;
    const started: { scheme: string; params: Map<string, string>; token68?: string } = {
      scheme: word.toLowerCase(),
      params: new Map(),
    };
    const token68 = isBareWord ? undefined : takeToken68(take, () => text[position]);
    if (token68 !== undefined) started.token68 = token68;
    challenges.push(started);
    open = started;
  }
  return challenges;
}

function takeValue(take: (pattern: RegExp) => RegExpExecArray | undefined): string | undefined {
  const quoted = take(QUOTED)?.[1];
  return quoted === undefined ? take(BARE_VALUE)?.[0] : quoted.replaceAll(/\\(.)/gs, "$1");
}

function takeToken68(
  take: (pattern: RegExp) => RegExpExecArray | undefined,
  next: () => string | undefined,
): string | undefined {
  return next() === undefined || next() === "," ? undefined : take(TOKEN68)?.[0];
}

/**
 * The challenge to answer: the first Bearer that says where its tokens are, else the first Basic.
 *
 * @returns `"refused"` for a challenge that could be read in two ways
 */
export function pickChallenge(challenges: readonly Challenge[]): Challenge | "refused" | undefined {
  const picked =
    challenges.find(({ scheme, params }) => scheme === "bearer" && (params.get("realm") ?? "") !== "") ??
    challenges.find(({ scheme }) => scheme === "basic");
  return picked?.ambiguous === true ? "refused" : picked;
}
