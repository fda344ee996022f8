import { expect, test } from "vitest";
import { parseEnvCommand } from "./env-command.ts";

test.each([
  [
    ["python3", "/app.py"],
    ["python3", "/app.py"],
  ],
  [
    ["-S", "node --no-warnings", "/app.js"],
    ["node", "--no-warnings", "/app.js"],
  ],
  [
    ["-Snode -r 'a b'", "/app.js"],
    ["node", "-r", "a b", "/app.js"],
  ],
  [
    ['--split-string=deno run "x y"', "/a.ts"],
    ["deno", "run", "x y", "/a.ts"],
  ],
  [
    ["-i", "A=1", "B=2", "app", "C=3"],
    ["app", "C=3"],
  ],
  [["-u", "A", "--unset=B", "--", "app"], ["app"]],
  [
    ["-S", 'A="1 2" app', "x"],
    ["app", "x"],
  ],
  [["-vS", "app"], ["app"]],
  [
    ["--split-string", "app -a"],
    ["app", "-a"],
  ],
  [["--split-string=", "app"], ["app"]],
  [["A=1"], []],
  [[], []],
] as const)("%j starts %j", (args, words) => {
  expect(parseEnvCommand(args, new Map())?.words).toEqual(words);
});

test("tells what it changes", () => {
  const command = parseEnvCommand(["-i", "-u", "A", "PATH=/opt=1", "app"], new Map());
  expect(command).toMatchObject({ cleared: true, words: ["app"] });
  expect([...(command?.changes ?? [])]).toEqual([
    ["A", undefined],
    ["PATH", "/opt=1"],
  ]);
});

test("tells whether variables are part of it", () => {
  const environment = new Map([["OPT", "/opt"]]);
  expect(parseEnvCommand(["-S", "${OPT}/app"], environment)).toMatchObject({
    words: ["/opt/app"],
    expands: true,
  });
  expect(parseEnvCommand(["-S", "app"], environment)?.expands).toBe(false);
  expect(parseEnvCommand(["-S", "$OPT/app"], environment)).toBeUndefined();
});

test("a variable that splits itself again is not followed for ever", () => {
  const environment = new Map([["A", "-S ${A} ${A}"]]);
  expect(parseEnvCommand(["-S", "${A}"], environment)).toBeUndefined();
});

test("an option that is not known is not guessed at", () => {
  expect(parseEnvCommand(["--chdir=/srv", "app"], new Map())).toBeUndefined();
});
