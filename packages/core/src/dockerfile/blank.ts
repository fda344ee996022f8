// Two meanings of "blank" live in a Dockerfile: Go's unicode.IsSpace, and the ASCII blanks between words.
const UNICODE = String.raw`\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`;
const blankCharacter = new RegExp(`^[${UNICODE}]$`);
const leadingBlanks = new RegExp(`^[${UNICODE}]+`);
const firstAsciiBlanks = /[\t\v\f\r ]+/;

/** Whether a character is white space in the Unicode sense; JavaScript's `\s` differs in U+0085 and U+FEFF. */
export function isBlank(character: string): boolean {
  if (character > " " && character < "\u0085") return false;
  return character === " " || character === "\t" || blankCharacter.test(character);
}

export function trimStartBlanks(text: string): string {
  return text.replace(leadingBlanks, "");
}

/** Trims white space in the Unicode sense from both ends. */
export function trimBlanks(text: string): string {
  let end = text.length;
  while (end > 0 && isBlank(text.charAt(end - 1))) end -= 1;
  return trimStartBlanks(text.slice(0, end));
}

/** What is before and after the first run of ASCII blanks. */
export function splitOnce(text: string): readonly [string, string?] {
  const match = firstAsciiBlanks.exec(text);
  if (match === null) return [text];
  return [text.slice(0, match.index), text.slice(match.index + match[0].length)];
}

/** The words between runs of ASCII blanks; quotes do not group. */
export function splitBlanks(text: string): string[] {
  return text === "" ? [] : text.split(/[\t\v\f\r ]+/);
}

/** Splits at Unicode blanks and keeps no empty word. */
export function fields(text: string): string[] {
  return text.split(new RegExp(`[${UNICODE}]+`)).filter((word) => word !== "");
}
