import { expect, test } from "vitest";
import { goQuote, goQuoteBytes } from "./quote.ts";

// What strconv.Quote of Go 1.26 gives.
test.each([
  ["plain text", '"plain text"'],
  ['a"b\\c', String.raw`"a\"b\\c"`],
  ["\0\u0007\b\f\n\r\t\v\u007f", String.raw`"\x00\a\b\f\n\r\t\v\x7f"`],
  ["é한\u{1f600}", '"é한\u{1f600}"'],
  ["\u00a0\ufeff\u2003\u0085", String.raw`"\u00a0\ufeff\u2003\u0085"`],
])("%j in quotes", (text, quoted) => {
  expect(goQuote(text)).toBe(quoted);
});

// What the errors of time.ParseDuration hold.
test.each([
  ['1"\\', String.raw`"1\"\\"`],
  ["5é\n", String.raw`"5\xc3\xa9\x0a"`],
])("%j in quotes, byte by byte", (text, quoted) => {
  expect(goQuoteBytes(text)).toBe(quoted);
});
