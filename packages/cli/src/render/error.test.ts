import { describe, expect, test } from "vitest";
import { UndockedError } from "@undocked/registry";
import { renderError } from "./error.ts";

const location = { file: "Dockerfile", line: 3, column: 1, text: "RUN npm i", length: 9 };

describe("an error as people read it", () => {
  test("has its place, the line, an underline and the hint", () => {
    const error = new UndockedError("DOCKERFILE_UNSUPPORTED", "RUN needs a kernel.", {
      location,
      hint: "Use COPY.",
    });
    expect(renderError(error)).toBe(
      [
        "error: RUN needs a kernel. [DOCKERFILE_UNSUPPORTED]",
        "  --> Dockerfile:3:1",
        "  3 | RUN npm i",
        "    | ^^^^^^^^^",
        "  hint: Use COPY.",
        "",
      ].join("\n"),
    );
  });

  test("lists every fault", () => {
    const diagnostics = [1, 2].map((line) => ({
      code: "X_Y",
      severity: "error" as const,
      message: `fault ${line}`,
      location: { file: "f", line, column: 1 },
    }));
    const text = renderError(new UndockedError("X_Y", "fault 1", { diagnostics }));
    expect(text.match(/fault \d/g)).toEqual(["fault 1", "fault 2"]);
  });

  test("keeps the underline below its word behind a tab, and inside the line", () => {
    const text = renderError(
      new UndockedError("X_Y", "m", {
        location: { file: "f", line: 12, column: 2, text: "\tCOPY", length: 99 },
      }),
    );
    expect(text).toContain("  12 |  COPY\n     |  ^^^^\n");
  });

  test("what a text brings never begins a line of ours", () => {
    const forged = "all is well\nerror: your password? [OK]";
    const text = renderError(
      new UndockedError("X_Y", forged, {
        hint: forged,
        location: { file: forged, line: 1, column: 1, text: forged },
      }),
    );
    expect(text.split("\n").filter((line) => line.startsWith("error:"))).toHaveLength(1);
    expect(text).toContain("error: all is well\n    error: your password? [OK] [X_Y]\n");
    expect(text).toContain("--> all is well\\u000aerror: your");
  });

  test("shows control characters instead of sending them to the terminal", () => {
    const text = renderError(new UndockedError("X_Y", "red \u001B[31m, \u202Egnp.exe"));
    expect(text).toContain("red \\u001b[31m, \\u202egnp.exe");
  });
});
