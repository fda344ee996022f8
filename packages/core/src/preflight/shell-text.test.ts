import { expect, test } from "vitest";
import { shellProgram } from "./shell-text.ts";

const environment = new Map([
  ["ENTRYPOINT", "/bin/abc -d"],
  ["EMPTY", ""],
]);

test.each([
  ["a plain command", "/app --port 80", { words: ["/app", "--port", "80"], plain: true }],
  ["exec", "exec /app -d", { words: ["/app", "-d"], plain: true }],
  ["exec of a name that shells have themselves", "exec true", { words: ["true"], plain: true }],
  [
    "a variable of the image",
    "$ENTRYPOINT",
    { words: ["/bin/abc", "-d"], plain: true, variable: "ENTRYPOINT" },
  ],
  [
    "a variable in braces and quotes",
    '"${ENTRYPOINT}" -v',
    { words: ["/bin/abc", "-d"], plain: true, variable: "ENTRYPOINT" },
  ],
  ["a command with quotes", "node -e \"require('x')\"", { words: ["node"], plain: false }],
  ["a list", "/app || sleep 9", { words: ["/app"], plain: false }],
  ["an assignment before it", "A=1 /app", { words: ["/app"], plain: false }],
  ["what a shell does itself", "cd /srv && ./app", undefined],
  ["a variable that nobody has set", "$OTHER", undefined],
  ["a variable that is empty", "$EMPTY", undefined],
  ["a substitution", "$(which app)", undefined],
  ["nothing", "  ", undefined],
] as const)("%s", (_, text, expected) => {
  expect(shellProgram(text, environment)).toEqual(expected);
});
