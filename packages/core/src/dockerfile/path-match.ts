import { WordError } from "./error.ts";
import { matchTokens, readClass, type Token } from "./glob.ts";

/**
 * A matcher for a pattern of COPY and ADD, as Go's `path.Match`: `*` and `?` do not cross `/`, `**` is `*`,
 * `[a-z]` and `[^a-z]` are classes, `\` escapes.
 *
 * @throws {DockerfileError} `DOCKERFILE_INVALID`: `syntax error in pattern`
 */
export function pathMatcher(pattern: string): (path: string) => boolean {
  const tokens = compile(pattern);
  return (path) => matchTokens(tokens, path);
}

/** Whether a source of COPY or ADD has to be matched against the tree. */
export function hasWildcard(path: string): boolean {
  return /[*?[]/.test(path);
}

/** @throws {DockerfileError} `DOCKERFILE_INVALID`: `syntax error in pattern` */
export function checkPattern(pattern: string): void {
  compile(pattern);
}

function compile(pattern: string): Token[] {
  const characters = Array.from(pattern);
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length;) {
    let character = characters[at] ?? "";
    at += 1;
    if (character === "*") tokens.push({ kind: "star" });
    else if (character === "?") tokens.push({ kind: "one" });
    else if (character === "[") {
      const read = readClass(characters, at - 1, "without-names");
      if (read === undefined) throw new WordError("syntax error in pattern");
      tokens.push(read.token);
      at = read.end;
    } else {
      if (character === "\\") {
        const escaped = characters[at];
        if (escaped === undefined) throw new WordError("syntax error in pattern");
        character = escaped;
        at += 1;
      }
      const last = tokens.at(-1);
      if (last?.kind === "text") tokens[tokens.length - 1] = { kind: "text", text: last.text + character };
      else tokens.push({ kind: "text", text: character });
    }
  }
  return tokens;
}
