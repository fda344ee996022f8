import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

// What is known of attacks on other clients, each with the names it goes by.
const attacks = JSON.parse(readFileSync(new URL("attacks.json", import.meta.url), "utf8")) as Readonly<
  Record<string, readonly string[]>
>;
const here = fileURLToPath(new URL(".", import.meta.url));
const files = readdirSync(here).filter((name) => name.endsWith(".test.ts") && name !== "attacks.test.ts");
const titles = [...files.map((name) => `${here}${name}`), `${here}../registry/attacks.test.ts`].flatMap(
  (path) => titlesIn(readFileSync(path, "utf8")),
);

/** Texts that stand before a function, or before options and a function: names of tests, and of groups of them. */
function titlesIn(source: string): readonly string[] {
  return [...source.matchAll(/(["'`])((?:(?!\1).)+)\1,\s*(?:\{[^{}]*\},\s*)?(?:async\s*)?\(/g)].map(
    ([, , title = ""]) => title,
  );
}

function isNamed(id: string): boolean {
  const whole = new RegExp(`(?<![\\w-])${id.replace(/[^\w\s]/g, String.raw`\$&`)}(?![\\w-])`);
  return titles.some((title) => whole.test(title));
}

test.each(Object.entries(attacks))("%s: each of its names is that of a test", (_, ids) => {
  expect(ids.filter((id) => !isNamed(id))).toEqual([]);
});

test("a name that no test carries is found out", () => {
  expect(titles.length).toBeGreaterThan(40);
  expect(isNamed("CVE-1999-0001")).toBe(false);
  expect(isNamed("CVE-2026-5015")).toBe(false);
});
