import { describe, expect, test } from "vitest";
import { DockerfileError } from "./error.ts";
import { parseDockerfile } from "./parse.ts";

function faultsOf(text: string): DockerfileError {
  try {
    parseDockerfile(text, { file: "build/Dockerfile" });
  } catch (error) {
    if (error instanceof DockerfileError) return error;
    throw error;
  }
  throw new Error("no fault was found");
}

describe("parseDockerfile", () => {
  test("all faults of a text are told at once, each with its place", () => {
    const { diagnostics, message, code } = faultsOf(
      'FROM scratch\n  COPY --form=x a b\nENV a\nCMD ["a", 1]\nFOO bar\nLABEL ok=1\n',
    );
    expect(code).toBe("DOCKERFILE_SYNTAX");
    expect(message).toBe("ENV must have two arguments");
    expect(diagnostics?.map(({ location, message: text }) => [location?.line, text])).toEqual([
      [3, "ENV must have two arguments"],
      [4, "when using JSON array syntax, arrays must be comprised of strings only"],
      [2, "unknown flag: --form (did you mean from?)"],
      [5, "unknown instruction: FOO (did you mean FROM?)"],
    ]);
    expect(diagnostics?.[2]?.location).toEqual({
      file: "build/Dockerfile",
      line: 2,
      column: 8,
      text: "  COPY --form=x a b",
      length: 8,
    });
  });

  test("what follows a FROM with a fault is not out of place", () => {
    const { diagnostics } = faultsOf("FROM a b\nLABEL a=b\nRUN x\n");
    expect(diagnostics).toHaveLength(1);
  });

  test("a heredoc without its end is told where it begins", () => {
    const { location, hint } = faultsOf("FROM scratch\nCOPY <<EOF /x\nhello\n");
    expect(location?.line).toBe(2);
    expect(hint).toContain("EOF");
  });

  test.each(["COPY", "ADD"])("%s with one word is told what it takes", (keyword) => {
    expect(faultsOf(`FROM scratch\n${keyword} a\n`).hint).toContain(`${keyword} SOURCE`);
  });

  test("each of two heredocs of one name has its own body", () => {
    const { stages } = parseDockerfile("FROM scratch\nCOPY <<A <<A /d/\none\nA\ntwo\nA\n");
    const [copy] = stages[0]?.instructions ?? [];
    expect(copy?.kind === "copy" && copy.heredocs.map(({ content }) => content)).toEqual(["one\n", "two\n"]);
  });

  test("flags that are not ASCII stay as they are", () => {
    const { stages } = parseDockerfile("FROM scratch\nCOPY --exclude=é a b\n");
    const [copy] = stages[0]?.instructions ?? [];
    expect(copy?.kind === "copy" && copy.exclude).toEqual(["é"]);
  });

  test("a line of 65,535 bytes is read, one more is too long, counted in bytes", () => {
    const line = (bytes: number) => `FROM scratch\nLABEL a=${"é".repeat((bytes - 9) / 2)}\n`;
    parseDockerfile(line(65_535));
    expect(faultsOf(line(65_537)).location?.line).toBe(2);
  });

  test("bytes are read as UTF-8", () => {
    const bytes = new TextEncoder().encode("\uFEFFFROM scratch\nLABEL a=é\n");
    const [label] = parseDockerfile(bytes).stages[0]?.instructions ?? [];
    expect(label?.kind === "label" && label.pairs).toEqual([{ key: "a", value: "é" }]);
  });
});

describe("as BuildKit reads it", () => {
  test.each([
    ["LABEL --chown=x", "unknown flag: --chown"],
    ["ENV --x", "unknown flag: --x"],
    ["RUN --network=mine x", 'invalid network mode "mine"'],
    ["RUN --security=none x", 'security "none" is not valid'],
  ])("%s is a fault: %s", (line, message) => {
    expect(faultsOf(`FROM scratch\n${line}\n`)).toMatchObject({ message, location: { line: 2 } });
  });

  test("a no-break space is part of a directive's value", () => {
    expect(faultsOf("# escape=\u00a0`\nFROM scratch\n").message).toContain("invalid escape token '\u00a0`'");
  });

  test("the syntax is named in the first column only", () => {
    const syntaxOf = (text: string) => parseDockerfile(`${text}\nFROM scratch\n`).syntax?.reference;
    expect([syntaxOf("# syntax=x"), syntaxOf(" # syntax=x")]).toEqual(["x", undefined]);
  });

  test("ONBUILD keeps its text to the last blank", () => {
    const { stages } = parseDockerfile("FROM scratch\nonbuild  copy a \\\n  b \n");
    expect(stages[0]?.instructions[0]).toMatchObject({ expression: "copy a   b " });
  });
});
