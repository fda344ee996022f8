import { expect, test } from "vitest";
import { parseShebang } from "./shebang.ts";

test.each([
  ["a name", "#!/bin/sh\nexit\n", { kind: "interpreter", path: "/bin/sh" }],
  ["a name without a line's end", "#!/bin/sh", { kind: "interpreter", path: "/bin/sh" }],
  ["blanks around", "#! \t/bin/sh \t\n", { kind: "interpreter", path: "/bin/sh" }],
  [
    "one argument, blanks in it kept",
    "#!/bin/awk -f  x \n",
    { kind: "interpreter", path: "/bin/awk", argument: "-f  x" },
  ],
  ["a NUL as the end", "#!/bin/sh\0 -e\n", { kind: "interpreter", path: "/bin/sh" }],
  ["a carriage return as part of the name", "#!/bin/sh\r\n", { kind: "interpreter", path: "/bin/sh\r" }],
  [
    "a carriage return as part of the argument",
    "#!/bin/sh -e\r\n",
    { kind: "interpreter", path: "/bin/sh", argument: "-e\r" },
  ],
  ["a relative name", "#!run\n", { kind: "interpreter", path: "run" }],
  ["nothing", "#!\n", { kind: "unnamed" }],
  ["blanks alone", "#!  \t\n", { kind: "unnamed" }],
  ["nothing at all", "#!", { kind: "unnamed" }],
] as const)("%s", (_, head, expected) => {
  expect(parseShebang(head)).toEqual(expected);
});

test("a line of 255 bytes is read, one of 256 is not", () => {
  const line = (length: number): string => `#!/${"a".repeat(length - 3)}\n`.slice(0, 256);
  expect(parseShebang(line(255)).kind).toBe("interpreter");
  expect(parseShebang(line(256)).kind).toBe("too-long");
});

test("a long argument is cut where the buffer ends", () => {
  const shebang = parseShebang(`#!/bin/sh ${"a".repeat(400)}\n`.slice(0, 256));
  expect(shebang).toEqual({ kind: "interpreter", path: "/bin/sh", argument: "a".repeat(246) });
});
