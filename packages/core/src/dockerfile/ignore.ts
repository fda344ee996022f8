import { trimBlanks } from "./blank.ts";
import { cleanPath } from "./clean-path.ts";
import { matchTokens } from "./glob.ts";
import { compilePattern, type Pattern } from "./ignore-pattern.ts";
import { patternIndex } from "./pattern-index.ts";

/** Decides what a `.dockerignore`, or an `--exclude`, leaves out. */
export interface IgnoreMatcher {
  /** Whether the path, relative and with `/`, is left out. */
  ignores(path: string): boolean;
  /** Whether something below a directory that is left out, `.` for all, might still be in; `false` is certain. */
  mayContainIncluded(directory: string): boolean;
}

/** A pattern of a `.dockerignore`, cleaned. */
export interface IgnoreLine {
  readonly pattern: string;
  /** 1-based. */
  readonly line: number;
  /** The line as it is written, without blanks around it. */
  readonly text: string;
}

/** The patterns of a `.dockerignore`, in order and cleaned; comments and blank lines dropped. */
export function parseIgnoreFile(text: string): string[] {
  return readIgnoreLines(text).map(({ pattern }) => pattern);
}

/** The same, with their places. */
export function readIgnoreLines(text: string): IgnoreLine[] {
  const patterns: IgnoreLine[] = [];
  for (const [at, line] of text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .entries()) {
    if (line.startsWith("#")) continue;
    const trimmed = trimBlanks(line);
    if (trimmed === "") continue;
    const negated = trimmed.startsWith("!");
    const pattern = negated ? trimBlanks(trimmed.slice(1)) : trimmed;
    let cleaned = pattern === "" ? "" : cleanPath(pattern);
    if (cleaned.length > 1 && cleaned.startsWith("/")) cleaned = cleaned.slice(1);
    patterns.push({ pattern: (negated ? "!" : "") + cleaned, line: at + 1, text: trimmed });
  }
  return patterns;
}

/**
 * A matcher for patterns in the order of their file; the last one that matches decides.
 *
 * @throws {DockerfileError} `DOCKERFILE_INVALID`, for a malformed pattern
 */
export function ignoreMatcher(patterns: readonly string[]): IgnoreMatcher {
  const compiled = patterns.flatMap((pattern) => {
    const trimmed = trimBlanks(pattern);
    return trimmed === "" ? [] : [compilePattern(trimmed)];
  });
  const negations = compiled.filter((pattern) => pattern.negated);
  const candidates = patternIndex(compiled.map(({ tokens }) => tokens));
  // A tree is walked in order, so the directories of one path are mostly those of the next.
  const directories = new Map<string, Decision>();

  function decide(path: string): Decision {
    const end = path.lastIndexOf("/");
    return evaluate(
      compiled,
      candidates(path),
      path,
      end < 1 ? NOTHING : decideDirectory(path.slice(0, end)),
    );
  }

  function decideDirectory(path: string): Decision {
    const known = directories.get(path);
    if (known !== undefined) return known;
    const decision = decide(path);
    if (directories.size >= MOST_DIRECTORIES) directories.clear();
    directories.set(path, decision);
    return decision;
  }

  return {
    ignores: (path) => compiled.length > 0 && decide(plain(path)).ignored,
    mayContainIncluded: (directory) =>
      negations.some(
        ({ prefix }) =>
          directory === "." || prefix.startsWith(`${directory}/`) || `${directory}/`.startsWith(prefix),
      ),
  };
}

/** Directories whose decisions are remembered. */
const MOST_DIRECTORIES = 1000;

interface Decision {
  readonly ignored: boolean;
  /** Which patterns have matched the path or an ancestor: their positions, ascending. */
  readonly matched: readonly number[];
}

const NOTHING: Decision = { ignored: false, matched: [] };

/** @param candidates - positions of all patterns that might match the path, and maybe of others; ascending */
function evaluate(
  patterns: readonly Pattern[],
  candidates: readonly number[],
  path: string,
  parent: Decision,
): Decision {
  let ignored = false;
  const matched: number[] = [];
  const tried = candidates[Symbol.iterator]();
  const inherited = parent.matched[Symbol.iterator]();
  let candidate = tried.next().value;
  let known = inherited.next().value;
  while (candidate !== undefined || known !== undefined) {
    const position = Math.min(candidate ?? patterns.length, known ?? patterns.length);
    const pattern = patterns[position];
    if (pattern === undefined) break;
    // A pattern that could not change the decision is not tried, and so does not count for the children
    // either: this is what makes `a/b` then `!a` leave `a/b` out.
    if (position === known || (pattern.negated === ignored && matchTokens(pattern.tokens, path))) {
      ignored = !pattern.negated;
      matched.push(position);
    }
    if (position === candidate) candidate = tried.next().value;
    if (position === known) known = inherited.next().value;
  }
  return { ignored, matched };
}

/** Without empty components, where there are others. */
function plain(path: string): string {
  if (!/^\/|\/\/|\/$/.test(path)) return path;
  const names = path.split("/").filter((part) => part !== "");
  return names.length === 0 ? path : names.join("/");
}
