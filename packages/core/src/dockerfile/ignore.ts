import { trimBlanks } from "./blank.ts";
import { cleanPath } from "./clean-path.ts";
import { WordError } from "./error.ts";
import { matchTokens, readClass, type Token } from "./glob.ts";
import { checkPattern } from "./path-match.ts";

/** Decides what a `.dockerignore`, or an `--exclude`, leaves out. */
export interface IgnoreMatcher {
  /** Whether the path, relative and with `/`, is left out. */
  ignores(path: string): boolean;
  /** Whether something below a directory that is left out, `.` for all, might still be in; `false` is certain. */
  mayContainIncluded(directory: string): boolean;
}

/** The patterns of a `.dockerignore`, in order and cleaned; comments and blank lines dropped. */
export function parseIgnoreFile(text: string): string[] {
  const patterns: string[] = [];
  for (const line of text.replace(/^\uFEFF/, "").split("\n")) {
    if (line.startsWith("#")) continue;
    const trimmed = trimBlanks(line);
    if (trimmed === "") continue;
    const negated = trimmed.startsWith("!");
    const pattern = negated ? trimBlanks(trimmed.slice(1)) : trimmed;
    let cleaned = pattern === "" ? "" : cleanPath(pattern);
    if (cleaned.length > 1 && cleaned.startsWith("/")) cleaned = cleaned.slice(1);
    patterns.push((negated ? "!" : "") + cleaned);
  }
  return patterns;
}

interface Pattern {
  readonly negated: boolean;
  readonly tokens: readonly Token[];
  /** What everything that matches begins with. */
  readonly prefix: string;
}

/**
 * A matcher for patterns in the order of their file; the last one that matches decides.
 *
 * @throws {DockerfileError} `DOCKERFILE_INVALID`, for a malformed pattern
 */
export function ignoreMatcher(patterns: readonly string[]): IgnoreMatcher {
  const compiled = patterns.flatMap((pattern) => {
    const trimmed = trimBlanks(pattern);
    return trimmed === "" ? [] : [compile(trimmed)];
  });
  const negations = compiled.filter((pattern) => pattern.negated);
  // A tree is walked in order, so the ancestors of one path are mostly those of the next.
  let ancestors: { readonly path: string; readonly decision: Decision }[] = [];
  const decide = (path: string): Decision => {
    const chain: typeof ancestors = [];
    let parent: Decision | undefined;
    for (const [depth, ancestor] of prefixes(path).entries()) {
      const known = ancestors[depth];
      const decision: Decision =
        known?.path === ancestor ? known.decision : evaluate(compiled, ancestor, parent);
      chain.push({ path: ancestor, decision });
      parent = decision;
    }
    ancestors = chain;
    return parent ?? evaluate(compiled, path, undefined);
  };
  return {
    ignores: (path) => compiled.length > 0 && decide(path).ignored,
    mayContainIncluded: (directory) =>
      negations.some(
        ({ prefix }) =>
          directory === "." || prefix.startsWith(`${directory}/`) || `${directory}/`.startsWith(prefix),
      ),
  };
}

interface Decision {
  readonly ignored: boolean;
  /** Which patterns have matched the path or an ancestor. */
  readonly matched: readonly boolean[];
}

function evaluate(patterns: readonly Pattern[], path: string, parent: Decision | undefined): Decision {
  let ignored = false;
  const matched = patterns.map((pattern, index) => {
    let match = parent?.matched[index] === true;
    // A pattern that could not change the decision is not tried, and so does not count for the children
    // either: this is what makes `a/b` then `!a` leave `a/b` out.
    if (!match && pattern.negated === ignored) match = matchTokens(pattern.tokens, path);
    if (match) ignored = !pattern.negated;
    return match;
  });
  return { ignored, matched };
}

/** `a/b/c` → `a`, `a/b`, `a/b/c`. */
function prefixes(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "");
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

function compile(text: string): Pattern {
  const cleaned = cleanPath(text);
  if (cleaned === "!") throw new WordError('illegal exclusion pattern: "!"');
  const negated = cleaned.startsWith("!");
  const pattern = negated ? cleaned.slice(1) : cleaned;
  checkPattern(pattern);
  const tokens = tokenize(pattern);
  const [first] = tokens;
  return { negated, tokens, prefix: first?.kind === "text" ? first.text : "" };
}

function tokenize(pattern: string): Token[] {
  // `**foo` alone is a suffix; with any other wildcard behind it, `**` stands for whole directories.
  const suffix = /^\*\*([^*?[\\]*)$/s.exec(pattern)?.[1];
  if (suffix !== undefined && !suffix.startsWith("/")) {
    return suffix === "" ? [{ kind: "any" }] : [{ kind: "any" }, { kind: "text", text: suffix }];
  }
  const characters = Array.from(pattern);
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length;) {
    const character = characters[at] ?? "";
    at += 1;
    if (character === "*" && characters[at] === "*") {
      at += characters[at + 1] === "/" ? 2 : 1;
      tokens.push(at >= characters.length ? { kind: "any" } : { kind: "directories" });
    } else if (character === "*") tokens.push({ kind: "star" });
    else if (character === "?") tokens.push({ kind: "one" });
    else if (character === "[") {
      const read = readClass(characters, at - 1, "with-names");
      if (read === undefined) throw new WordError("syntax error in pattern");
      tokens.push(read.token);
      at = read.end;
    } else {
      if (character === "\\") at += 1;
      const text = character === "\\" ? (characters[at - 1] ?? "") : character;
      const last = tokens.at(-1);
      if (last?.kind === "text") tokens[tokens.length - 1] = { kind: "text", text: last.text + text };
      else tokens.push({ kind: "text", text });
    }
  }
  return tokens;
}
