import { expect, test } from "vitest";
import { repeatedKey } from "./repeated-key.ts";

test.each([
  ['{"a":1,"a":2}', "a"],
  ['{"a":{"b":1},"c":[{"b":1},{"d":0, "d" : 1}]}', "d"],
  [String.raw`{"a":1,"\u0061":2}`, "a"],
  ['{"a":{"a":{"a":1}}}', undefined],
  ['[{"a":"a"},{"a":"a:"}]', undefined],
  [String.raw`{"a":"\",\"a\":","b":"{"}`, undefined],
  ['["a","a"]', undefined],
  ['{"__proto__":1,"constructor":2}', undefined],
])("%s", (text, key) => {
  expect(repeatedKey(text)).toBe(key);
});
