import { expect, test } from "vitest";
import { jsonText } from "./json.ts";

test("JSON says the same, with no character that acts on a terminal", () => {
  const value = {
    "a\u009b2J": ["\u007f\u0085", "\u001b[2J", "\u202egnp.exe", "tab\t, line\n, é, \ud83d\ude00"],
  };
  for (const form of ["indented", "one line"] as const) {
    const text = jsonText(value, form);
    expect(JSON.parse(text)).toEqual(value);
    expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
  }
});
