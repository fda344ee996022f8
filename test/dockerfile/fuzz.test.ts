import { ignoreMatcher, parseDockerfile, parseIgnoreFile, pathMatcher } from "@undocked/core/dockerfile";
import { UndockedError } from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { planStages } from "../../packages/core/src/plan/plan-stages.ts";
import { readCorpus } from "../support/corpus.ts";

/** Far more than any of these takes; what hangs or is quadratic in its length does not get there. */
const patience = 300_000;

/** Mulberry32: the same inputs in every run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const texts = [
  ...readCorpus<{ cases: { dockerfile: string }[] }>("dockerfile/parser-cases.json").cases,
  ...readCorpus<{ cases: { dockerfile: string }[] }>("dockerfile/semantics.json").cases,
  ...readCorpus<{ cases: { dockerfile: string }[] }>("dockerfile/lint-cases.json").cases,
]
  .map(({ dockerfile }) => dockerfile)
  .filter((text) => text.length < 20_000);

const pieces = [
  ...Array.from("\n\t \\`$\"'{}[]()<>#=:;,-/*?!%@\0\r\u00a0\ufeff"),
  "<<EOF",
  "<<-'A'",
  "${",
  "${X:-",
  "${X/",
  "--from=",
  "ONBUILD ",
  "FROM scratch\n",
  "COPY --chmod=u+x ",
  "# escape=`\n",
  "\\\n",
  "\ud800",
];

function mutate(text: string, next: (below: number) => number): string {
  let result = text;
  for (let count = next(4) + 1; count > 0; count -= 1) {
    const at = next(result.length + 1);
    const end = at + next(12);
    const other = texts[next(texts.length)] ?? "";
    const piece = pieces[next(pieces.length)] ?? "";
    const from = next(other.length + 1);
    const replacements = ["", piece, piece.repeat(next(6)), other.slice(from, from + next(60))];
    const keep = next(2) === 0 ? at : end;
    result = result.slice(0, at) + (replacements[next(replacements.length)] ?? "") + result.slice(keep);
  }
  return result;
}

/** Whether the whole way from text to plan gives a result; anything else than a fault of ours is thrown on. */
function isAccepted(text: string | Uint8Array): boolean {
  try {
    planStages(parseDockerfile(text), { buildArgs: { A: "1" } }, new Map());
    return true;
  } catch (error) {
    if (error instanceof UndockedError) {
      for (const { message, location } of error.diagnostics ?? []) {
        expect(message).not.toBe("");
        if (location !== undefined) expect(location.line).toBeGreaterThan(0);
      }
      return false;
    }
    throw error;
  }
}

describe("inputs that nobody wrote", () => {
  test("20,000 mutated texts give a plan or a fault of the text", { timeout: patience }, () => {
    const next = random(20261121);
    const count = { accepted: 0, refused: 0 };
    for (let index = 0; index < 20_000; index += 1) {
      const text = mutate(texts[next(texts.length)] ?? "", next);
      count[isAccepted(text) ? "accepted" : "refused"] += 1;
    }
    expect(count.accepted).toBeGreaterThan(1000);
    expect(count.refused).toBeGreaterThan(1000);
  });

  test("bytes that are not UTF-8", () => {
    const next = random(7);
    for (let index = 0; index < 500; index += 1) {
      isAccepted(Uint8Array.from({ length: next(300) }, () => next(256)));
    }
  });

  test("5,000 mutated ignore files and patterns", () => {
    const next = random(42);
    const patterns = readCorpus<{ patternCases: { patterns: string[]; path: string }[] }>(
      "dockerfile/dockerignore.json",
    ).patternCases;
    for (let index = 0; index < 5000; index += 1) {
      const { patterns: list = [], path = "" } = patterns[next(patterns.length)] ?? {};
      const text = mutate(list.join("\n"), next);
      try {
        ignoreMatcher(parseIgnoreFile(text)).ignores(path);
        pathMatcher(text)(path);
      } catch (error) {
        if (!(error instanceof UndockedError)) throw error;
      }
    }
  });
});

describe("inputs that are as large as they can be", () => {
  const line = (prefix: string, filling: string, suffix = "") =>
    prefix +
    filling.repeat(Math.floor((65_535 - prefix.length - suffix.length - 1) / filling.length)) +
    suffix;

  test.each([
    ["a label", line("LABEL a=", "x")],
    ["quotes", line('LABEL a="', '\\"', '"')],
    ["variables", line("LABEL a=", "$A")],
    ["nested substitutions", line("LABEL a=", "${A:-")],
    ["substitutions with patterns", line("ENV B=${A/", "*a", "/x}")],
    ["long patterns on long values", `ENV A=${"a".repeat(60_000)}\n${line("LABEL b=${A##", "?*a", "}")}`],
    ["onbuild in onbuild", line("", "ONBUILD ", "RUN x")],
    ["JSON", line("CMD [", '"a",', '"b"]')],
    ["nested JSON", line("CMD ", "[", "]")],
    ["sources", line("COPY ", "a ", "/x/")],
    ["wildcards", line("COPY ", "*a", " /x/")],
    ["classes", line("COPY ", "[a-z]", " /x/")],
    ["excludes", line("COPY ", "--exclude=**/a ", " b /x")],
    ["heredocs", line("COPY ", "<<A ", " /x/")],
    ["blanks after <<", line("RUN cat <<", " ", "A")],
    ["ports", line("EXPOSE ", "1-65535 ")],
    ["flags", line("COPY ", "--x ", "a b")],
    ["symbolic modes", line("COPY --chmod=u", "+x", " a b")],
    ["a name", line("FROM ", "a")],
    ["slashes", line("WORKDIR ", "/..")],
    ["continuations", `LABEL a=${"\\\n".repeat(50_000)}b`],
    ["comments in a continuation", `LABEL a=\\\n${"# c\n".repeat(50_000)}b`],
    ["excludes over many lines", `COPY ${`${"--exclude=a ".repeat(5000)}\\\n`.repeat(16)} a /x/`],
    [
      "heredocs over many lines",
      `COPY ${`${"<<A ".repeat(16_000)}\\\n`.repeat(4)} /x/\n${"A\n".repeat(64_000)}`,
    ],
  ])("a line of %s", { timeout: patience }, (_, text) => {
    isAccepted(`FROM scratch\n${text}\n`);
  });

  test.each([
    ["labels", (index: number) => `LABEL a${index}=$b${index}`],
    ["variables that double", () => "ENV A=a$A$A"],
    [
      "stages, each from the one before",
      (index: number) => `FROM ${index < 1 ? "scratch" : `s${index - 1}`} AS s${index}`,
    ],
    [
      "stages that copy from the one before",
      (index: number) => `FROM scratch AS t${index}\nCOPY --from=t${Math.max(index - 1, 0)} a b`,
    ],
    ["triggers", () => "ONBUILD ENV A=1"],
    ["heredocs", (index: number) => `COPY <<E${index} /x\n$A\nE${index}`],
    ["RUN", () => "RUN apt-get install -y x"],
    ["faults", () => "COPY --nope a b"],
    ["global arguments", (index: number) => `ARG a${index}=\${a${index - 1}}x`],
    ["misspelt names among as many", (index: number) => `ENV var${index}=x\nLABEL a=$vas${index}`],
    ["comments that switch off", (index: number) => `# check=skip=X${index}\nLABEL a=$b c=$d`],
    ["working directories that grow", () => "WORKDIR a"],
  ])("10,000 %s", { timeout: patience }, (_, instruction) => {
    const lines = Array.from({ length: 10_000 }, (__, index) => instruction(index));
    const first = lines[0] ?? "";
    isAccepted(
      first.startsWith("FROM") || first.startsWith("ARG a0")
        ? `${lines.join("\n")}\n`
        : `FROM scratch\n${lines.join("\n")}\n`,
    );
  });

  test("5,000 triggers in 5,000 stages are refused", { timeout: patience }, () => {
    const triggers = "ONBUILD ENV A=1\n".repeat(5000);
    const stages = Array.from({ length: 5000 }, (_, index) => `FROM p AS c${index}\n`).join("");
    expect(isAccepted(`FROM scratch AS p\n${triggers}${stages}`)).toBe(false);
  });

  test.each(["ENV", "ARG", "LABEL"])(
    "5,000 stages that inherit and add one %s are refused, for want of memory for all",
    { timeout: patience },
    (keyword) => {
      const stages = Array.from({ length: 5000 }, (_, index) => {
        return `FROM ${index === 0 ? "scratch" : `s${index - 1}`} AS s${index}\n${keyword} A${index}=b\n`;
      });
      expect(isAccepted(stages.slice(0, 200).join(""))).toBe(true);
      expect(isAccepted(stages.join(""))).toBe(false);
    },
  );

  test("a pattern that makes others search for ever", () => {
    const path = `${"a/".repeat(100)}${"a".repeat(3000)}`;
    expect(ignoreMatcher([`${"**/a*".repeat(50)}b`]).ignores(path)).toBe(false);
    expect(pathMatcher(`${"*a".repeat(200)}b`)("a".repeat(3000))).toBe(false);
  });
});
