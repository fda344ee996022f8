import { describe, expect, test } from "vitest";
import { scanModule } from "./module-scan.ts";

describe("imports", () => {
  test.each([
    ["a named import", 'import { a } from "one";', ["one"]],
    ["a type-only import", 'import type { A } from "one";', ["one"]],
    ["an import over several lines", 'import {\n  a,\n  b,\n} from "one";', ["one"]],
    ["an import for its effect", 'import "one";', ["one"]],
    ["a re-export", 'export * from "one";\nexport { b } from "two";', ["one", "two"]],
    ["a dynamic import", 'export const f = () => import("one");', ["one"]],
    ["an import in a type", 'export type A = import("one").A;', ["one"]],
    ["require", 'const a = require("one");', ["one"]],
    ["an import inside a template", 'const a = `x ${await import("one")} y`;', ["one"]],
    ["an import after a regular expression with a quote", 'const a = /["\'`]/;\nimport "one";', ["one"]],
    [
      "an import after a regular expression with a slash in a class",
      'const a = /[/"]/;\nimport "one";',
      ["one"],
    ],
    ["an import after a division", 'const a = b / c; // "\nimport "one";', ["one"]],
    ["no import in a comment", '// import "one";\n/* import "two"; */', []],
    ["no import in a string", "const a = 'import \"one\"';", []],
    ["no import in a template's text", 'const a = `import "one"`;', []],
    ["no import in a nested template", 'const a = `${b ? `import "one"` : ""}`;', []],
  ])("%s", (_, source, expected) => {
    expect(scanModule(source).imports).toEqual(expected);
  });

  test("a specifier that is computed is told", () => {
    expect(scanModule("export const f = (name: string) => import(name);").computedImports).toBe(true);
    expect(scanModule('export const f = () => import("one");').computedImports).toBe(false);
  });
});

test.each([
  ["export default 1;", true],
  ["export default function f() {}", true],
  ["const a = 1;\nexport { a as default };", true],
  ['import { default as a } from "one";\nexport { a };', false],
  ['export const a = { default: "x" };', false],
])("a default export is found in %j: %s", (source, expected) => {
  expect(scanModule(source).defaultExport).toBe(expected);
});

test.each([
  ['export * from "./a.ts";\nexport { b, type C } from "./b.ts";', true],
  ["export {};", false],
  ["export const a = 1;", false],
  ['import "./a.ts";', false],
])("an index that only re-exports is told from another in %j: %s", (source, expected) => {
  expect(scanModule(source).onlyReExports).toBe(expected);
});

test.each([
  ["const a = await f();", true],
  ["for await (const a of b) c(a);", true],
  ["export async function f() {\n  await g();\n}", false],
  ["export const f = async () => await g();", false],
])("a top-level await is found in %j: %s", (source, expected) => {
  expect(scanModule(source).topLevelAwait).toBe(expected);
});

test.each([
  ['const home = process.env["HOME"];', true],
  ["export const { HOME } = process.env;", true],
  ["export function home() {\n  return process.env.HOME;\n}", false],
  ["export const home = () => process.env.HOME;", false],
])("an environment that is read at load is found in %j: %s", (source, expected) => {
  expect(scanModule(source).environmentAtLoad).toBe(expected);
});

test("a statement that does work at load is told by its first word", () => {
  const source =
    "const a = 1;\nif (a) {\n  b();\n}\nmain();\nexport function c(\n  d: string,\n): void {}\nclass D<\n  E,\n> {}\n";
  expect(scanModule(source).looseStatements).toEqual(["if", "main"]);
});
