import { normalizePlatform, type Diagnostic, type Platform } from "@undocked/registry";
import type { ByteSource } from "./byte-source.ts";
import { ElfError } from "./elf-error.ts";
import { readElf, type ElfFacts } from "./elf.ts";
import { formatHeadSize, formatOf, type FileFormat } from "./format.ts";
import { formatProblem } from "./format-problem.ts";
import type { Linkage } from "./linkage.ts";
import { elfProblems } from "./problems.ts";

/** What a file is, and whether a platform's kernel would start it. */
export interface ExecutableReport {
  readonly format: FileFormat;
  readonly linkage: Linkage;
  /** That it was judged for, normalised. */
  readonly platform: Platform;
  /** Of ELF files whose headers could be read. */
  readonly elf?: ElfFacts;
  /** The loader that the kernel starts for it, or of a script the line after `#!`. */
  readonly interpreter?: string;
  readonly needed: readonly string[];
  /** Why it does not start there, whatever else is in the image; and, as warnings, what may surprise. */
  readonly problems: readonly Diagnostic[];
}

/** Reads what a file is. Never throws for what is in it: that is in the report's problems. */
export async function inspectExecutable(
  source: ByteSource,
  options: { readonly platform: Platform },
): Promise<ExecutableReport> {
  const head = await source.read(0, Math.min(formatHeadSize, source.size));
  const format = formatOf(head);
  const platform = normalizePlatform(options.platform);
  if (format !== "elf") return foreignReport(format, head, platform);
  try {
    return elfReport(await readElf(source), platform);
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    const { code, message } = error;
    return {
      format,
      linkage: "not-executable",
      platform,
      needed: [],
      problems: [{ code, severity: "error", message, hint: "Build or copy the file again: it is damaged." }],
    };
  }
}

/** The report of a file whose facts are known, from an index for example. */
export function elfReport(elf: ElfFacts, platform: Platform): ExecutableReport {
  const normalized = normalizePlatform(platform);
  return {
    format: "elf",
    linkage: elf.linkage,
    platform: normalized,
    elf,
    ...(elf.interpreter === undefined ? {} : { interpreter: elf.interpreter }),
    needed: elf.needed,
    problems: elfProblems(elf, normalized),
  };
}

/** The report of a file that is not ELF, or that is and has no headers to be read. */
export function foreignReport(format: FileFormat, head: Uint8Array, platform: Platform): ExecutableReport {
  const line = format === "script" ? shebangOf(head) : undefined;
  const problem = formatProblem(format, platform);
  return {
    format,
    linkage: "not-executable",
    platform,
    ...(line === undefined ? {} : { interpreter: line }),
    needed: [],
    problems: problem === undefined ? [] : [problem],
  };
}

// The kernel's buffer (BINPRM_BUF_SIZE) since Linux 5.1.
const shebangSize = 256;

function shebangOf(head: Uint8Array): string {
  const [line = ""] = Buffer.from(head.subarray(2, shebangSize))
    .toString()
    .split(/[\n\0]/, 1);
  return line.replace(/^[ \t]+|[ \t]+$/g, "");
}
