import { describe, expect, test } from "vitest";
import { suggest } from "./suggest.ts";

/** Levenshtein's distance as every textbook has it. */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i += 1) {
    const above = rows[i - 1] ?? [];
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(change, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}

/** All words of up to four letters out of two. */
const words = ["", "a", "b"];
for (let index = 1; words.length < 31; index += 1) words.push(`${words[index]}a`, `${words[index]}b`);

describe("the word that was meant", () => {
  test("is one at a distance of one or two, among all short words", () => {
    for (const a of words) {
      for (const b of words) {
        const far = distance(a, b);
        expect([a, b, suggest(a, [b])]).toEqual([a, b, far === 0 || far > 2 ? undefined : b]);
      }
    }
  });

  test("is the nearest, the first of several", () => {
    expect(suggest("bulid", ["bul", "build", "bulid2", "built"])).toBe("bulid2");
    expect(suggest("FORM", ["from"], { case: "fold" })).toBe("FROM");
    expect(suggest("1", ["s1"], { case: "fold" })).toBe("s1");
  });

  test("is not looked for any more when the effort is spent", () => {
    const effort = { left: 10 };
    expect(suggest("abcd", ["abce"], { effort })).toBe("abce");
    expect(suggest("abcd", ["abce"], { effort })).toBe("abce");
    expect(suggest("abcd", ["abce"], { effort })).toBeUndefined();
  });
});
