import { expect, test } from "vitest";
import { progressDisplay, type ProgressMode } from "./progress.ts";

test.each<[string, ProgressMode, boolean, string | undefined, boolean]>([
  ["auto on a terminal", "auto", true, "xterm", true],
  ["auto on a terminal without TERM", "auto", true, undefined, true],
  ["auto on a terminal that cannot clear a line", "auto", true, "dumb", false],
  ["auto into a file", "auto", false, "xterm", false],
  ["tty, asked for", "tty", false, "dumb", true],
  ["plain, asked for", "plain", true, "xterm", false],
])("%s", (_, mode, isTTY, term, clears) => {
  let shown = "";
  const io = {
    stdout: { write: () => true },
    stderr: { write: (text: string) => (shown += text), isTTY },
    cwd: "/",
    env: { TERM: term },
  };
  progressDisplay(mode, io).note("a line");
  expect(shown).toContain("a line\n");
  expect(shown.includes("\u001B")).toBe(clears);
});
