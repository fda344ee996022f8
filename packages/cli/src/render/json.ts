import { visibleLines } from "./error.ts";

/** A value as JSON for a terminal too: of control characters, JSON itself escapes only half. */
export function jsonText(value: unknown, form: "indented" | "one line" = "indented"): string {
  return `${visibleLines(JSON.stringify(value, null, form === "indented" ? 2 : 0), "")}\n`;
}
