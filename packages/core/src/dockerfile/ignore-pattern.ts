import { cleanPath } from "./clean-path.ts";
import { WordError } from "./error.ts";
import { readClass, type Token } from "./glob.ts";
import { checkPattern } from "./path-match.ts";

/** One pattern of a `.dockerignore`. */
export interface Pattern {
  readonly negated: boolean;
  readonly tokens: readonly Token[];
  /** What everything that matches begins with. */
  readonly prefix: string;
}

/** @throws {DockerfileError} `DOCKERFILE_INVALID`, for a malformed pattern */
export function compilePattern(text: string): Pattern {
  const cleaned = cleanPath(text);
  if (cleaned === "!")
    throw new WordError('illegal exclusion pattern: "!"', "Write after the ! what is to stay.");
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
      if (read === undefined)
        throw new WordError("syntax error in pattern", "Close the set that [ begins, or write \\[.");
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
