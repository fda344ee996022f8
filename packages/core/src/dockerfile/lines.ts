import type { Location } from "@undocked/registry";
import { trimStartBlanks } from "./blank.ts";

/** Bytes of a physical line, its end included, that are one too many. */
export const lineSizeLimit: number = 65536;

/** A text as physical lines, which know their places. */
export interface SourceLines {
  readonly file: string;
  /** With their `\n`, the last one maybe without. */
  readonly raw: readonly string[];
  /** Without their ends. */
  readonly lines: readonly string[];
}

/** Splits at `\n` alone; a byte order mark and what is not UTF-8 are no part of the text. */
export function readLines(text: string | Uint8Array, file: string): SourceLines {
  const whole = typeof text === "string" ? text : new TextDecoder("utf-8", { ignoreBOM: true }).decode(text);
  const raw = whole.replace(/^\uFEFF/, "").split(/(?<=\n)/);
  return { file, raw: raw[0] === "" ? [] : raw, lines: raw.map((line) => trimLineEnd(line)) };
}

/** Takes the run of `\r` and `\n` off the end. */
export function trimLineEnd(line: string): string {
  let end = line.length;
  while (end > 0 && (line[end - 1] === "\n" || line[end - 1] === "\r")) end -= 1;
  return line.slice(0, end);
}

export function isTooLong(line: string): boolean {
  // No character of UTF-16 takes more than three bytes of UTF-8.
  if (line.length * 3 < lineSizeLimit) return false;
  return new TextEncoder().encode(line).length >= lineSizeLimit;
}

/** The place of a line's text, or of the first `part` of it that stands there. */
export function locationOf(source: SourceLines, line: number, part?: string): Location {
  const text = source.lines[line - 1] ?? "";
  const visible = trimStartBlanks(text);
  const found = part === undefined || part === "" ? -1 : text.indexOf(part);
  const start = found < 0 ? text.length - visible.length : found;
  const length = found < 0 || part === undefined ? visible.trimEnd().length : part.length;
  return { file: source.file, line, column: start + 1, text, length: Math.max(length, 1) };
}
