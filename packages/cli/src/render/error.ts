import { UndockedError, type Diagnostic, type Location } from "@undocked/registry";

/** What to tell of whatever was thrown; `undefined`: it is a bug. */
export function renderFailure(error: unknown): string | undefined {
  return error instanceof UndockedError ? renderError(error) : undefined;
}

/** An error as people read it: every fault with its place, the line, an underline and what to do. */
export function renderError(error: UndockedError): string {
  const { code, message, location, hint } = error;
  const own: Diagnostic = {
    code,
    severity: "error",
    message,
    ...(location === undefined ? {} : { location }),
    ...(hint === undefined ? {} : { hint }),
  };
  const all = error.diagnostics === undefined || error.diagnostics.length === 0 ? [own] : error.diagnostics;
  return all.map(renderDiagnostic).join("\n");
}

export function renderDiagnostic(diagnostic: Diagnostic): string {
  const { location, hint } = diagnostic;
  return [
    `${diagnostic.severity}: ${visibleLines(diagnostic.message)} [${diagnostic.code}]`,
    ...(location === undefined ? [] : renderLocation(location)),
    ...(hint === undefined ? [] : [`  hint: ${visibleLines(hint)}`]),
    "",
  ].join("\n");
}

function renderLocation(location: Location): string[] {
  const { file, line, column, text, length } = location;
  const place = `  --> ${visible(file)}:${line}:${column}`;
  if (text === undefined) return [place];
  const number = String(line);
  const margin = " ".repeat(number.length);
  // A tab stays one in the margin of the underline, so that both lines are shifted alike.
  const lead = visible(text.slice(0, column - 1).replaceAll("\t", " ")).replace(/./gsu, " ");
  const width = Math.max(1, Math.min(length ?? 1, text.length - column + 1));
  return [
    place,
    `  ${number} | ${visible(text.replaceAll("\t", " "))}`,
    `  ${margin} | ${lead}${"^".repeat(width)}`,
  ];
}

/** On one line, for a terminal. Control characters could act on it, and a line's end pretend to be our next: they are shown, not sent. */
export function visible(text: string): string {
  return text.replaceAll(/(?!\t)[\p{Cc}\p{Bidi_Control}]/gu, (character) => {
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;
  });
}

/** The same of a text of several lines, of which none but the first begins where ours do. */
export function visibleLines(text: string, indent = "    "): string {
  return text.split("\n").map(visible).join(`\n${indent}`);
}
