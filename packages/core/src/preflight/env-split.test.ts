import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { findProgram } from "../../../../test/support/tools.ts";
import { splitWords } from "./env-split.ts";

const variables = { OPT: "/opt", TWO: "a  b", EMPTY: "" };

const texts: readonly (readonly [text: string, words: readonly string[] | undefined])[] = [
  ["a b", ["a", "b"]],
  ["  a\t b\v", ["a", "b"]],
  ["'a b' \"c d\"", ["a b", "c d"]],
  ['FOO="bar baz" app', ["FOO=bar baz", "app"]],
  ["a'b'\"c\"d", ["abcd"]],
  ["\"\" ''", ["", ""]],
  ["\"a'b\" 'a\"b'", ["a'b", 'a"b']],
  ["${OPT}/bin/app", ["/opt/bin/app"]],
  ["x${OPT} \"${OPT} y\" '${OPT}'", ["x/opt", "/opt y", "${OPT}"]],
  ["${TWO}", ["a  b"]],
  ['${EMPTY} ${NONE} "${NONE}" a${NONE}b', ["", "", "ab"]],
  ["a\\_b \"a\\_b\" 'a\\_b'", ["a", "b", "a b", "a\\_b"]],
  ["\\n\\t\\f\\r\\v", ["\n\t\f\r\v"]],
  ["\\\"\\#\\$\\'\\\\", ["\"#$'\\"]],
  ["'\\\\' '\\'' '\\n'", ["\\", "'", "\\n"]],
  ["a\\cb c", ["a"]],
  ["a #b c", ["a"]],
  ['a#b "#c" \\#d', ["a#b", "#c", "#d"]],
  ["", []],
  ["$OPT", undefined],
  ["${OPT", undefined],
  ["${1}", undefined],
  ["a\\x", undefined],
  ["a\\", undefined],
  ['"a', undefined],
  ["'a", undefined],
  ['"a\\cb"', undefined],
];

test.each(texts)("%j", (text, words) => {
  expect(splitWords(text, new Map(Object.entries(variables)))?.words).toEqual(words);
});

test("what variables make longer than any argument is not followed", () => {
  expect(splitWords("${A}".repeat(1000), new Map([["A", "a".repeat(1000)]]))).toBeUndefined();
});

test("tells whether it put a variable in", () => {
  expect(splitWords("a ${NONE}", new Map())?.expands).toBe(true);
  expect(splitWords("a '${NONE}'", new Map())?.expands).toBe(false);
});

const env = findProgram("env");
const isCoreutils =
  env !== undefined && spawnSync(env, ["--version"], { encoding: "utf8" }).stdout.includes("coreutils");

describe.skipIf(!isCoreutils)("coreutils' env", () => {
  test.each(texts)("says so too: %j", (text, words) => {
    const script = "process.stdout.write(JSON.stringify(process.argv.slice(1)))";
    const print = ["--", process.execPath, "-e", script, "--"];
    const quoted = print.map((word) => `'${word.replaceAll("'", "\\'")}'`).join(" ");
    const { status, stdout } = spawnSync(env ?? "", ["-S", `${quoted} ${text}`], {
      encoding: "utf8",
      env: { ...variables },
    });
    expect(status === 0 ? JSON.parse(stdout) : undefined).toEqual(words);
  });
});
