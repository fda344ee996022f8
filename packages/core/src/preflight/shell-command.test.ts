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
  expect(parseShellCommand(args)).toEqual(command);
});
