import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fileSource, readElf, type ElfFacts } from "@undocked/core/elf";
import { elfFilesBelow, sampleOf } from "../support/elf-files.ts";
import { lacks } from "../support/tools.ts";

// Every file takes readelf some milliseconds: a sample, unless all are asked for. `UNDOCKED_ELF_ROOTS` names other trees.
const sampleSize = 300;
const roots = (process.env["UNDOCKED_ELF_ROOTS"] ?? "/usr").split(":");

/** What make-elf-oracle.py writes of a file. */
interface OracleRow {
  readonly path: string;
  readonly error?: string;
  readonly class: number;
  readonly data: "lsb" | "msb";
  readonly type: string;
  readonly machine: string;
  readonly entry: string;
  readonly flags: string;
  /** readelf reads versions by their sections: without any it tells none. */
  readonly sections: number;
  readonly interp: string | null;
  readonly soname: string | null;
  readonly rpath: string | null;
  readonly runpath: string | null;
  readonly needed: readonly string[];
  readonly flags1: readonly string[];
  readonly dynamic: boolean;
  readonly verneed: Readonly<Record<string, readonly string[]>>;
  readonly verdef: readonly string[];
  readonly x86IsaNeeded?: string;
  readonly kernelAbi?: string;
  readonly verdict: string;
}

describe.skipIf(lacks("readelf", "python3"))("beside readelf", () => {
  test("every field of every file is the same", { timeout: 1_200_000 }, async () => {
    const rows = oracle(
      sampleOf(
        roots.flatMap((root) => [...elfFilesBelow(root)]),
        sampleSize,
      ),
    );
    const differences: string[] = [];
    for (const row of rows) {
      const facts = await read(row.path);
      const [ours, theirs] = [fieldsOfFacts(facts, row), fieldsOfRow(row)];
      for (const [field, value] of Object.entries(theirs)) {
        const own = JSON.stringify(ours[field]);
        if (own !== JSON.stringify(value)) {
          differences.push(`${row.path}: ${field} is ${JSON.stringify(value)}, not ${own}`);
        }
      }
    }
    expect(rows.length).toBeGreaterThan(50);
    expect(differences).toEqual([]);
    console.log(`${rows.length} ELF files are as readelf says.`);
  });
});

/** readelf's words for what images are made for. */
const machines: Readonly<Record<string, number>> = {
  "Intel 80386": 3,
  "MIPS R3000": 8,
  PowerPC: 20,
  PowerPC64: 21,
  "IBM S/390": 22,
  ARM: 40,
  "Advanced Micro Devices X86-64": 62,
  AArch64: 183,
  "RISC-V": 243,
  LoongArch: 258,
};

function fieldsOfRow(row: OracleRow): Readonly<Record<string, unknown>> {
  return {
    class: row.class,
    data: row.data,
    type: row.type,
    machine: machines[row.machine] ?? row.machine,
    entry: row.entry,
    flags: Number(row.flags),
    verdict: row.verdict,
    // A split debug file's dynamic section is no longer what its headers say.
    ...(row.verdict === "other"
      ? {}
      : {
          interp: row.interp,
          soname: row.soname,
          rpath: row.rpath,
          runpath: row.runpath,
          needed: row.needed,
          pie: row.flags1.includes("PIE"),
          dynamic: row.dynamic,
          isa: row.x86IsaNeeded ?? null,
          abi: row.kernelAbi ?? null,
          ...(row.sections === 0 ? {} : { verneed: sorted(row.verneed), verdef: row.verdef }),
        }),
  };
}

function fieldsOfFacts(facts: ElfFacts, row: OracleRow): Readonly<Record<string, unknown>> {
  const needs: Record<string, string[]> = {};
  for (const { library, versions } of facts.versionNeeds) {
    needs[library] = (needs[library] ?? []).concat(
      versions.map(({ name, weak }) => (weak ? `${name}?` : name)),
    );
  }
  return {
    class: facts.class,
    data: facts.endian === "little" ? "lsb" : "msb",
    type: facts.type === "other" ? row.type : facts.type,
    machine: row.machine in machines ? facts.machine : row.machine,
    entry: facts.entry,
    flags: facts.flags,
    verdict: verdictOf(facts),
    interp: facts.interpreter ?? null,
    soname: facts.soname ?? null,
    rpath: facts.rpath ?? null,
    runpath: facts.runpath ?? null,
    needed: facts.needed,
    pie: (facts.flags1 & 0x8000000) !== 0,
    dynamic: facts.hasDynamic,
    isa: isaOf(facts, row),
    abi: facts.notes.abi?.version ?? null,
    verneed: sorted(needs),
    verdef: [...new Set(facts.versionDefinitions)].sort(),
  };
}

/** readelf does not know two verdicts of ours: the loader, and static programs by linkers that do not mark them. */
function verdictOf({ linkage, flags1 }: ElfFacts): string {
  if (linkage === "not-executable") return "other";
  if (linkage === "loader") return "shared";
  return linkage === "static-pie" && (flags1 & 0x8000000) === 0 ? "shared" : linkage;
}

function isaOf({ notes }: ElfFacts, row: OracleRow): string | null {
  if (notes.x86Level === undefined) return null;
  const highest = (row.x86IsaNeeded ?? "").split(", ").at(-1);
  const own = notes.x86Level === 1 ? "x86-64-baseline" : `x86-64-v${notes.x86Level}`;
  return highest === own ? (row.x86IsaNeeded ?? null) : own;
}

function sorted(needs: Readonly<Record<string, readonly string[]>>): unknown {
  return Object.keys(needs)
    .sort()
    .map((library) => [library, [...new Set(needs[library])].sort()]);
}

async function read(path: string): Promise<ElfFacts> {
  await using source = await fileSource(path);
  return await readElf(source);
}

function oracle(paths: readonly string[]): readonly OracleRow[] {
  const directory = mkdtempSync(join(tmpdir(), "undocked-oracle-"));
  try {
    const list = join(directory, "list");
    writeFileSync(list, `${paths.join("\n")}\n`);
    const script = new URL("../corpus/elf/make-elf-oracle.py", import.meta.url).pathname;
    execFileSync("python3", [script, "-o", join(directory, "rows"), "--list", list], { stdio: "ignore" });
    return readFileSync(join(directory, "rows"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as OracleRow)
      .filter(({ error }) => error === undefined);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
