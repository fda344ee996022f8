import { WordError } from "./error.ts";

/** What a `--chmod` makes of an entry's own mode; modes are permission bits with setuid, setgid and sticky. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

/** One step of such a change; `isExecutable` tells of the mode that there was at first. */
type ModeStep = (mode: number, isExecutable: boolean) => number;

//  mode    = octal | clause *( "," clause )
//  clause  = *( "u" | "g" | "o" | "a" ) 1*action
//  action  = ( "+" | "-" | "=" ) *( "r" | "w" | "x" | "X" | "s" | "t" | "u" | "g" | "o" )
const CLAUSE = /^([ugoa]*)((?:[-+=][rwxXstugo]*)+)$/;
const ACTION = /([-+=])([rwxXstugo]*)/g;

const STICKY = 0o1000;
const SET_ID = 0o6000;
const EXECUTE = 0o111;
const OTHER = 0o7;
/** The bits that each letter before the action speaks of. */
const WHO: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: OTHER, a: 0o6777 };
const EVERYBODY = 0o6777;
/** The bits that each letter behind the action stands for; an `X` behind a minus is an `x`. */
const BITS: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: EXECUTE, X: EXECUTE };
/** How far up the triple is that each letter behind the action copies. */
const TRIPLE: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };

/**
 * Reads a `--chmod`: octal of at most 07777, or symbolic as BSD's setmode(3) takes it, with no umask.
 *
 * @throws {DockerfileError} `DOCKERFILE_INVALID`, with BuildKit's message
 */
export function parseChmod(text: string): ModeChange {
  if (/^[0-9]/.test(text)) return octal(text);
  const steps = text.split(",").flatMap((clause) => {
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
      actionSteps(who, operator, letters),
    );
  });
  return (mode, isDirectory) => {
    const isExecutable = isDirectory || (mode & EXECUTE) !== 0;
    return steps.reduce((result, step) => step(result, isExecutable), mode);
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

/** A letter that copies parts what stands before it from what stands behind it: each is a step of its own. */
function actionSteps(who: string, operator: string, letters: string): ModeStep[] {
  const steps: ModeStep[] = [];
  let scope = 0;
  for (const letter of who) scope |= WHO[letter] ?? 0;
  // For "other" alone, set-id and sticky say nothing.
  const isSpecial = scope === 0 || (scope & ~OTHER) !== 0;
  let wanted = 0;
  let wantedIfExecutable = 0;
  let isAssigned = operator !== "=";
  for (const letter of letters) {
    const triple = TRIPLE[letter];
    if (triple !== undefined) {
      if (wanted !== 0) steps.push(written(operator, scope, wanted));
      steps.push(executing(scope, wantedIfExecutable), copied(operator, scope, triple));
      [wanted, wantedIfExecutable, isAssigned] = [0, 0, true];
    } else if (letter === "X" && operator !== "-") {
      wantedIfExecutable = EXECUTE;
    } else if (letter === "t" && isSpecial) {
      // Where nobody is named, sticky is all that the rest of the action speaks of.
      scope |= STICKY;
      wanted |= STICKY;
    } else if (letter === "s" && isSpecial) {
      wanted |= SET_ID;
    } else {
      wanted |= BITS[letter] ?? 0;
    }
  }
  if (wanted !== 0 || !isAssigned) steps.push(written(operator, scope, wanted));
  steps.push(executing(scope, wantedIfExecutable));
  return steps;
}

/** @param scope - the bits it speaks of; 0: nobody is named */
function written(operator: string, scope: number, wanted: number): ModeStep {
  const bits = scope === 0 ? wanted : wanted & scope;
  if (operator === "+") return (mode) => mode | bits;
  if (operator === "-") return (mode) => mode & ~bits;
  const cleared = scope === 0 ? EVERYBODY : scope;
  return (mode) => (mode & ~cleared) | bits;
}

function executing(scope: number, wanted: number): ModeStep {
  const bits = scope === 0 ? wanted : wanted & scope;
  return (mode, isExecutable) => (isExecutable ? mode | bits : mode);
}

/** One triple of bits, for each of those that the scope has. */
function copied(operator: string, scope: number, triple: number): ModeStep {
  const replaced = (scope === 0 ? EVERYBODY : scope) & 0o777;
  return (mode) => {
    const low = (mode >> triple) & 0o7;
    const bits = ((low << 6) | (low << 3) | low) & replaced;
    if (operator === "+") return mode | bits;
    if (operator === "-") return mode & ~bits;
    return (mode & ~replaced) | bits;
  };
}
