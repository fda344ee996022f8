import { expect, test } from "vitest";
import { parseShellCommand } from "./shell-command.ts";

test.each([
  [["-c", "a b"], { kind: "text", text: "a b" }],
  [["-lc", "a"], { kind: "text", text: "a" }],
  [["-o", "pipefail", "-c", "a"], { kind: "text", text: "a" }],
  [["-euo", "pipefail", "-c", "a"], { kind: "text", text: "a" }],
  [["-eo", "pipefail", "+o", "xtrace", "a.sh"], { kind: "file", file: "a.sh" }],
  [["-O", "extglob", "a.sh", "-c"], { kind: "file", file: "a.sh" }],
  [["--login", "-c", "a"], { kind: "text", text: "a" }],
  [["--rcfile", "x", "a.sh"], { kind: "file", file: "a.sh" }],
  [["-e", "--", "-a"], { kind: "file", file: "-a" }],
  [["-c", "--", "a"], { kind: "text", text: "a" }],
  [["a.sh", "-c"], { kind: "file", file: "a.sh" }],
  [["-s", "a"], undefined],
  [["-o", "pipefail"], undefined],
  [["--unknown", "a"], undefined],
  [[], undefined],
] as const)("%j", (args, command) => {
  const { isLogin: _login, isInteractive: _interactive, ...rest } = parseShellCommand(args) ?? {};
  expect(rest).toEqual(command ?? {});
});

test.each([
  [["-c", "a"], "neither"],
  [["-euxo", "pipefail", "-c", "a"], "neither"],
  [["-lc", "a"], "login"],
  [["--login", "-c", "a"], "login"],
  [["-l", "--noprofile", "-c", "a"], "neither"],
  [["+l", "-c", "a"], "neither"],
  [["-ic", "a"], "interactive"],
  [["-i", "a.sh"], "interactive"],
  [["--rcfile", "/rc", "-ic", "a"], "interactive"],
  [["--norc", "-i", "-c", "a"], "neither"],
  [["-lic", "a"], "login interactive"],
  // What follows is the text's own.
  [["-c", "a", "-l", "-i"], "neither"],
] as const)("%j is %s", (args, mode) => {
  const { isLogin, isInteractive } = parseShellCommand(args) ?? {};
  const told = [isLogin === true ? "login" : [], isInteractive === true ? "interactive" : []].flat();
  expect(told.join(" ") || "neither").toBe(mode);
});
