import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parsePlatform } from "@undocked/registry";
import { fileSource, inspectExecutable, staticGate, type ExecutableReport } from "@undocked/core/elf";
import { lacks } from "../support/tools.ts";

// Compiling takes a minute or two, most of it Go's. A directory named here is kept and used again.
const kept = process.env["UNDOCKED_ELF_FIXTURES"];
const directory = kept ?? mkdtempSync(join(tmpdir(), "undocked-elf-"));
const corpus = new URL("../corpus/elf/", import.meta.url);
const platform = parsePlatform("linux/amd64");

interface Fixture {
  readonly name: string;
  readonly verdict: string;
  /** On an empty root of an amd64 machine. */
  readonly starts: boolean;
}

const fixtures = parseFixtures(readFileSync(new URL("elf-fixtures-expected.tsv", corpus), "utf8"));

// Refused though an amd64 kernel starts them: a 386 program does not belong into an image for amd64.
const refusedByPolicy = new Set(["i386-static", "go-386", "lld-i686-linux-gnu", "lldpie-i686-linux-gnu"]);

afterAll(() => {
  if (kept === undefined) rmSync(directory, { recursive: true, force: true });
});

describe.skipIf(lacks("gcc"))("files that compilers made", () => {
  beforeAll(() => {
    if (existsSync(join(directory, "expected.tsv"))) return;
    execFileSync("bash", [new URL("make-elf-fixtures.sh", corpus).pathname, directory], { stdio: "ignore" });
  }, 600_000);

  test.for(fixtures)("$name is $verdict", async ({ name, verdict }, { skip }) => {
    const report = await inspect(name, skip);
    expect(verdictOf(report)).toBe(verdict);
  });

  test.for(fixtures)("$name starts on an empty root: $starts", async ({ name, starts }, { skip }) => {
    const report = await inspect(name, skip);
    const refusal = staticGate(report, { path: name, platform, mode: "static", role: "program" });
    if (refusedByPolicy.has(name)) expect(refusal?.code).toBe("EXECUTABLE_WRONG_MACHINE");
    else expect(refusal === undefined).toBe(starts);
  });

  test.for(fixtures)("the refusal of $name has a hint", async ({ name }, { skip }) => {
    const report = await inspect(name, skip);
    const refusal = staticGate(report, { path: name, platform, mode: "static", role: "program" });
    if (refusal === undefined) return;
    expect(refusal.message).toContain(name);
    expect(refusal.hint).toMatch(/^[A-Z].+\.$/);
    if (report.linkage !== "dynamic") return;
    expect(refusal.code).toBe("EXECUTABLE_DYNAMIC");
    expect(refusal.message).toContain(report.interpreter);
    for (const library of report.needed) expect(refusal.message).toContain(library);
    // Whoever made it: the hint is for that one, or for all where nothing shows.
    const hasGo = refusal.hint?.includes("CGO_ENABLED=0") ?? false;
    expect(hasGo).toBe(["go", undefined].includes(report.elf?.maker));
    if (/^(?:go|rust)\b/.test(name)) expect(report.elf?.maker).toBe(/^[a-z]+/.exec(name)?.[0]);
  });
});

async function inspect(name: string, skip: (note: string) => void): Promise<ExecutableReport> {
  if (!existsSync(join(directory, name))) skip("its compiler is missing");
  await using source = await fileSource(join(directory, name));
  return await inspectExecutable(source, { platform });
}

function verdictOf({ format, linkage }: ExecutableReport): string {
  if (format !== "elf") return "not-elf";
  return linkage === "not-executable" ? "other" : linkage;
}

function parseFixtures(text: string): readonly Fixture[] {
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [name = "", verdict = "", starts] = line.split("\t");
      return { name, verdict, starts: starts === "yes" };
    });
}
