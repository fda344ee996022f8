import { expect, test } from "vitest";
import { parseShellCommand } from "./shell-command.ts";
import { isExportedFunction, readsStartupFiles } from "./shell-startup.ts";

test.each([
  ["bash", ["-c", "a"], {}, false],
  ["bash", ["-lc", "a"], {}, true],
  ["sh", ["-lc", "a"], {}, true],
  ["bash", ["-ic", "a"], {}, true],
  ["bash", ["-c", "a"], { BASH_ENV: "/e" }, true],
  ["bash", ["a.sh"], { BASH_ENV: "/e" }, true],
  ["bash", ["-c", "a"], { BASH_ENV: "" }, false],
  ["bash", ["-c", "a"], { ENV: "/e" }, false],
  ["sh", ["-c", "a"], { BASH_ENV: "/e", ENV: "/e" }, false],
  ["sh", ["-ic", "a"], {}, false],
  ["sh", ["-ic", "a"], { ENV: "/e" }, true],
  ["zsh", ["-c", "a"], {}, true],
] as const)("%s %j with %j: %j", (shell, args, variables, expected) => {
  const command = parseShellCommand(args);
  if (command === undefined) throw new Error("no command");
  expect(readsStartupFiles(shell, command, new Map(Object.entries(variables)))).toBe(expected);
});

test("a function of the environment is known by its name", () => {
  const environment = new Map([["BASH_FUNC_serve%%", "() { exec /app; }"]]);
  expect(isExportedFunction("serve", environment)).toBe(true);
  expect(isExportedFunction("server", environment)).toBe(false);
});
