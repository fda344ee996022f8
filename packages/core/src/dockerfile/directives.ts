import type { Escape } from "./ast.ts";
import { trimStartBlanks } from "./blank.ts";
import { WordError } from "./error.ts";

const NAMES = ["syntax", "escape", "check"] as const;
type DirectiveName = (typeof NAMES)[number];

/** Reads the `# name=value` lines at the top; the first line that is none ends them for good. */
export class Directives {
  readonly #values = new Map<DirectiveName, string>();
  #open = true;
  escape: Escape = "\\";

  /**
   * Whether the line is a directive.
   *
   * @throws {DockerfileError} `DOCKERFILE_INVALID`, for one that is there twice, or an escape that is none
   */
  read(line: string): boolean {
    if (!this.#open) return false;
    const directive = matchDirective(line);
    if (directive === undefined) {
      this.#open = false;
      return false;
    }
    const { name, value } = directive;
    if (this.#values.has(name)) throw new WordError(`only one ${name} parser directive can be used`);
    this.#values.set(name, value);
    if (name === "escape") {
      if (value !== "\\" && value !== "`") {
        throw new WordError(
          `invalid escape token '${value}' does not match \` or \\`,
          "Write # escape=` or # escape=\\ with nothing behind it.",
        );
      }
      this.escape = value;
    }
    return true;
  }
}

function matchDirective(line: string): { name: DirectiveName; value: string } | undefined {
  const comment = trimStartBlanks(line);
  if (!comment.startsWith("#")) return undefined;
  const text = trimStartBlanks(comment.slice(1));
  const equals = text.indexOf("=");
  const written = trimAscii(text.slice(0, Math.max(equals, 0))).toLowerCase();
  const name = NAMES.find((candidate) => candidate === written);
  const value = trimAscii(text.slice(equals + 1));
  return equals < 0 || name === undefined || value === "" ? undefined : { name, value };
}

/** Without the blanks of Go's regular expressions; a no-break space is part of a value. */
function trimAscii(text: string): string {
  const isBlank = (at: number) => /^[\t\n\f\r ]$/.test(text.charAt(at));
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(start)) start += 1;
  while (end > start && isBlank(end - 1)) end -= 1;
  return text.slice(start, end);
}

/** A directive that a tool other than the parser looks for, with its 1-based line. */
export interface FoundDirective {
  readonly value: string;
  readonly line: number;
}

/**
 * Finds `syntax` or `check` at the top of a text: as a directive, also below a `#!` line; as `//name=value`;
 * or as a member of a text that is a JSON object.
 */
export function findDirective(
  lines: readonly string[],
  name: "syntax" | "check",
): FoundDirective | undefined {
  const start = lines[0]?.startsWith("#!") === true ? 1 : 0;
  for (const prefix of ["#", "//"]) {
    for (let index = start; index < lines.length; index += 1) {
      const line = lines[index] ?? "";
      const directive = line.startsWith(prefix) ? matchDirective(`#${line.slice(prefix.length)}`) : undefined;
      if (directive === undefined) break;
      if (directive.name === name) return { value: directive.value, line: index + 1 };
    }
  }
  return lines[0]?.startsWith("{") === true ? findMember(lines.join("\n"), name) : undefined;
}

function findMember(text: string, name: string): FoundDirective | undefined {
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document !== "object" || document === null) return undefined;
    const value = Object.entries(document).find(([key]) => key === name)?.[1];
    return typeof value === "string" ? { value, line: 1 } : undefined;
  } catch {
    return undefined;
  }
}
