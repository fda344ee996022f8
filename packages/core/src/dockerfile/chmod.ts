import { WordError } from "./error.ts";

/** What a `--chmod` makes of an entry's own mode; modes are permission bits with setuid, setgid and sticky. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

//  mode    = octal | clause *( "," clause )
//  clause  = *( "u" | "g" | "o" | "a" ) 1*action
//  action  = ( "+" | "-" | "=" ) *( "r" | "w" | "x" | "X" | "s" | "t" | "u" | "g" | "o" )
const CLAUSE = /^([ugoa]*)((?:[-+=][rwxXstugo]*)+)$/;
const ACTION = /([-+=])([rwxXstugo]*)/g;

const STICKY = 0o1000;
const SET_ID = 0o6000;
const EXECUTE = 0o111;
/** The bits that each letter before the action speaks of. */
const WHO: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o0007, a: 0o6777 };

/**
 * Reads a `--chmod`: octal of at most 07777, or symbolic as chmod(1) takes it, with no umask.
 *
 * @throws {DockerfileError} `DOCKERFILE_INVALID`, with BuildKit's message
 */
export function parseChmod(text: string): ModeChange {
  if (/^[0-9]/.test(text)) return octal(text);
  const actions = text.split(",").flatMap((clause) => {
    const match = CLAUSE.exec(clause);
    if (match === null) {
      throw new WordError(
        `invalid chmod parameter: '${text}': invalid syntax`,
        "Write an octal mode such as 0755, or a symbolic one such as u=rwX,go=rX.",
        text,
      );
    }
    const [, who = "", tail = ""] = match;
    return [...tail.matchAll(ACTION)].flatMap(([, operator = "", letters = ""]) =>
      // A copy is an action of its own, and so is what stands behind it; an `X` there only adds.
      (letters.match(/[ugo]|[^ugo]+/g) ?? [""]).map((part, index) => ({
        who,
        operator: operator === "=" && index > 0 && /^X+$/.test(part) ? "+" : operator,
        letters: part,
      })),
    );
  });
  return (mode, isDirectory) => {
    let result = mode;
    for (const { who, operator, letters } of actions) {
      const { set, scope } = bits(letters, who, result, isDirectory || (mode & EXECUTE) !== 0);
      if (operator === "+") result |= set;
      else if (operator === "-") result &= ~set;
      else result = (result & ~scope) | set;
    }
    return result;
  };
}

function octal(text: string): ModeChange {
  const value = /^[0-7]{1,12}$/.test(text) ? Number.parseInt(text, 8) : -1;
  if (value < 0 || value > 0o7777) {
    throw new WordError(
      `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`,
      "Write an octal mode such as 0755, or a symbolic one such as u=rwX,go=rX.",
      text,
    );
  }
  return () => value;
}

/** The bits that an action's letters stand for, and all that its `=` would clear. */
function bits(
  letters: string,
  who: string,
  mode: number,
  executable: boolean,
): { set: number; scope: number } {
  let scope = who === "" ? 0o6777 : 0;
  for (const letter of who) scope |= WHO[letter] ?? 0;
  // Copied bits are those of a triple: what they replace is one too.
  if (/[ugo]/.test(letters)) scope &= 0o777;
  // For "other" alone, set-id and sticky say nothing.
  const special = (scope & ~0o7) !== 0;
  // Without a "who", sticky is all that such an action speaks of.
  if (who === "" && letters.includes("t")) scope = STICKY;
  let wanted = 0;
  for (const letter of letters) {
    if (letter === "r") wanted |= 0o444;
    else if (letter === "w") wanted |= 0o222;
    else if (letter === "x" || (letter === "X" && executable)) wanted |= EXECUTE;
    else if (letter === "s" && special) wanted |= SET_ID;
    else if (letter === "t" && special) [wanted, scope] = [wanted | STICKY, scope | STICKY];
    else if (letter === "u") wanted |= spread(mode >> 6);
    else if (letter === "g") wanted |= spread(mode >> 3);
    else if (letter === "o") wanted |= spread(mode);
  }
  return { set: wanted & scope, scope };
}

/** One triple of bits for user, group and other alike. */
function spread(triple: number): number {
  const low = triple & 0o7;
  return (low << 6) | (low << 3) | low;
}
