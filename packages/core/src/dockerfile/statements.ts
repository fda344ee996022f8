import type { Diagnostic } from "@undocked/registry";
import { forms } from "./arguments.ts";
import type { Escape, Heredoc, Statement } from "./ast.ts";
import { splitOnce, trimBlanks, trimStartBlanks } from "./blank.ts";
import { Directives } from "./directives.ts";
import { fault, narrow, WordError, type Fault } from "./error.ts";
import { splitFlags } from "./flags.ts";
import { heredocStarts, type HeredocStart } from "./heredoc.ts";
import { isTooLong, lineSizeLimit, locationOf, trimLineEnd, type SourceLines } from "./lines.ts";

/** What the lines say, without their meaning. */
export interface Statements {
  readonly escape: Escape;
  readonly statements: readonly Statement[];
  readonly warnings: readonly Diagnostic[];
  readonly faults: readonly Fault[];
}

const TAKES_HEREDOCS = ["ADD", "COPY", "RUN"];

/** Puts continued lines together, takes comments out, reads heredocs; finds all faults of the text's form. */
export function readStatements(source: SourceLines): Statements {
  const reader = new Reader(source);
  reader.readAll();
  return reader;
}

class Reader implements Statements {
  readonly statements: Statement[] = [];
  readonly warnings: Diagnostic[] = [];
  readonly faults: Fault[] = [];
  readonly #source: SourceLines;
  readonly #directives = new Directives();
  #comments: string[] = [];
  /** Lines read so far, so also the number of the last one. */
  #line = 0;

  constructor(source: SourceLines) {
    this.#source = source;
  }

  get escape(): Escape {
    return this.#directives.escape;
  }

  readAll(): void {
    for (let raw = this.#next(); raw !== undefined; raw = this.#next()) {
      const text = trimStartBlanks(trimLineEnd(raw));
      if (this.#isDirective(text)) continue;
      if (text.startsWith("#")) this.#addComment(trimLineEnd(raw));
      else if (text !== "") this.#readStatement(text);
    }
  }

  #next(): string | undefined {
    const raw = this.#source.raw[this.#line];
    if (raw === undefined) return undefined;
    this.#line += 1;
    if (isTooLong(raw)) {
      this.#fault(`dockerfile line greater than max allowed size of ${lineSizeLimit - 1}`, this.#line);
      return "";
    }
    return raw;
  }

  #isDirective(text: string): boolean {
    try {
      return this.#directives.read(text);
    } catch (error) {
      this.#catch(error, this.#line);
      return true;
    }
  }

  #addComment(line: string): void {
    // The first character goes, even if it is a blank before the `#`.
    const comment = trimBlanks(line.slice(1));
    if (comment === "") this.#comments = [];
    else this.#comments.push(comment);
  }

  #readStatement(first: string): void {
    const start = this.#line;
    const original = this.#readContinuations(first);
    const comments = this.#comments;
    this.#comments = [];
    try {
      const place = { at: locationOf(this.#source, start), endLine: this.#line, comments };
      const statement: Statement = { ...readLine(original, this.escape), ...place };
      const child = readChild(statement, this.escape);
      const whole = child === undefined ? statement : { ...statement, child };
      const heredocs = this.#readHeredocs(whole, start);
      const end = { heredocs, endLine: this.#line };
      this.statements.push({ ...whole, ...end, ...(child && { child: { ...child, ...end } }) });
    } catch (error) {
      this.#catch(error, start);
    }
  }

  #readContinuations(first: string): string {
    let { text: joined, more } = continuation(first, this.escape);
    const parts = [joined];
    let blank = false;
    while (more) {
      const raw = this.#next();
      if (raw === undefined) break;
      const line = trimLineEnd(raw);
      const visible = trimBlanks(line);
      if (visible.startsWith("#")) continue;
      if (visible === "") {
        blank = true;
        continue;
      }
      ({ text: joined, more } = continuation(line, this.escape));
      parts.push(joined);
    }
    if (blank) this.#warnOfBlank();
    return parts.join("");
  }

  #warnOfBlank(): void {
    this.warnings.push({
      code: "NoEmptyContinuation",
      severity: "warning",
      message: "Empty continuation line",
      location: locationOf(this.#source, this.#line),
    });
  }

  #readHeredocs(statement: Statement, start: number): Heredoc[] {
    const command = statement.child ?? statement;
    if (!TAKES_HEREDOCS.includes(command.keyword) || command.json) return [];
    const heredocs: Heredoc[] = [];
    for (const announced of heredocStarts(statement.original)) {
      const content = this.#readBody(announced);
      if (content === undefined) {
        this.#fault("unterminated heredoc", start, `End it with a line that is ${announced.name}.`);
        break;
      }
      heredocs.push({ ...announced, content });
    }
    return heredocs;
  }

  #readBody({ name, chomp }: HeredocStart): string | undefined {
    const body: string[] = [];
    for (let raw = this.#next(); raw !== undefined; raw = this.#next()) {
      const line = trimLineEnd(raw);
      if ((chomp ? line.replace(/^\t+/, "") : line) === name) return body.join("");
      body.push(raw);
    }
    return undefined;
  }

  #catch(error: unknown, line: number): void {
    if (!(error instanceof WordError)) throw error;
    const place = narrow(locationOf(this.#source, line), error.part);
    this.faults.push(fault("DOCKERFILE_SYNTAX", error.message, place, error.hint));
  }

  #fault(message: string, line: number, hint?: string): void {
    this.faults.push(fault("DOCKERFILE_SYNTAX", message, locationOf(this.#source, line), hint));
  }
}

/** Takes off an escape that is the last thing on a line and has no other before it. */
function continuation(line: string, escape: Escape): { text: string; more: boolean } {
  let end = line.length;
  while (end > 0 && (line[end - 1] === " " || line[end - 1] === "\t")) end -= 1;
  const more = line[end - 1] === escape && line[end - 2] !== escape;
  return more ? { text: line.slice(0, end - 1), more } : { text: line, more };
}

type Line = Omit<Statement, "at" | "endLine" | "comments" | "child">;

function readLine(original: string, escape: Escape): Line {
  const [written, after = ""] = splitOnce(trimBlanks(original));
  const { flags, rest } = splitFlags(trimBlanks(after), escape);
  const keyword = written.toUpperCase();
  const form = forms.get(keyword);
  const { args, json } = form === undefined ? { args: [], json: false } : form(rest, escape, keyword);
  return { keyword, written, original, rest, flags, args, json, heredocs: [] };
}

/** What an ONBUILD holds; one inside another is a fault later, so it is not read further. */
function readChild(statement: Statement, escape: Escape): Statement | undefined {
  if (statement.keyword !== "ONBUILD" || statement.rest === "") return undefined;
  return { ...statement, ...readLine(statement.rest, escape) };
}
