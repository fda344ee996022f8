const ESCAPES: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

/** As Go's `%q` prints a text. */
export function goQuote(text: string): string {
  const quoted = text.replaceAll(/[\\"]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (character) => {
    const known = ESCAPES[character];
    if (known !== undefined) return known;
    const point = character.codePointAt(0) ?? 0;
    if (point < 0x80) return `\\x${point.toString(16).padStart(2, "0")}`;
    return point > 0xffff
      ? `\\U${point.toString(16).padStart(8, "0")}`
      : `\\u${point.toString(16).padStart(4, "0")}`;
  });
  return `"${quoted}"`;
}

/** As Go's `time` quotes in its errors: what is not printable ASCII is written as the bytes of its UTF-8. */
export function goQuoteBytes(text: string): string {
  const quoted = text.replaceAll(/[\\"]|[^ -\x7f]/gu, (character) =>
    character === "\\" || character === '"'
      ? `\\${character}`
      : Array.from(
          new TextEncoder().encode(character),
          (byte) => `\\x${byte.toString(16).padStart(2, "0")}`,
        ).join(""),
  );
  return `"${quoted}"`;
}
