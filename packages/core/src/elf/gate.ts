import type { Diagnostic, Platform } from "@undocked/registry";
import { DynamicFlag } from "./dynamic.ts";
import { elfReport, type ExecutableReport } from "./inspect.ts";
import { staticHint } from "./static-hint.ts";

/** What an executable is judged for. */
export interface StaticGateOptions {
  /** As the message names the file. */
  readonly path: string;
  readonly platform: Platform;
  /** `any` switches the gate off. */
  readonly mode: "static" | "any";
  /**
   * `program`: the file is to be started, and must be a static program. `file` (default): it is one of many, and is refused only
   * when it is a program that could not be started; libraries, object files, scripts and everything that is not ELF pass.
   */
  readonly role?: "program" | "file";
}

/**
 * Whether an image of only static programs may have that file; `undefined`: it may.
 *
 * A library is what says that it is one: an ET_DYN without PT_INTERP and DF_1_PIE, or with a SONAME and without DF_1_PIE
 * (libc.so.6 and libcap.so.2 have an interpreter so that they can print their version).
 */
export function staticGate(report: ExecutableReport, options: StaticGateOptions): Diagnostic | undefined {
  const { path, platform, mode, role = "file" } = options;
  if (mode === "any") return undefined;
  const isProgram = role === "program";
  if (!isProgram && !startsAlone(report)) return undefined;
  const judged = report.elf === undefined ? report : elfReport(report.elf, platform);
  const refusal = refusalOf(judged, isProgram);
  if (refusal === undefined) return undefined;
  return { ...refusal, severity: "error", message: `${path}: ${refusal.message}` };
}

/** Whether a file is there to be started: what a build of static programs is about. */
function startsAlone({ linkage, elf }: ExecutableReport): boolean {
  // What no kernel maps may be a kernel, or firmware.
  if (elf?.mapping?.code === "EXECUTABLE_NOT_LOADABLE") return false;
  switch (linkage) {
    case "static":
    case "static-pie":
    case "packed":
    case "broken":
      return true;
    case "dynamic":
      return elf?.soname === undefined || (elf.flags1 & DynamicFlag.pie) !== 0;
    case "shared":
    case "loader":
    case "not-executable":
      return false;
  }
}

function refusalOf(report: ExecutableReport, isProgram: boolean): Diagnostic | undefined {
  const { elf, problems, linkage } = report;
  const wrong = problems.find(({ code }) => code === "EXECUTABLE_WRONG_MACHINE");
  if (wrong !== undefined) return wrong;
  const fatal = problems.find(({ severity }) => severity === "error");
  if (elf !== undefined && linkage === "dynamic") return dynamicRefusal(report);
  if (fatal !== undefined) return fatal;
  if (!isProgram) return undefined;
  if (report.format === "script") {
    return {
      code: "EXECUTABLE_SCRIPT",
      severity: "error",
      message: `The file is a script; it needs the interpreter ${report.interpreter || "that it does not name"}.`,
      hint: 'Start a static program instead, or use a base that has the interpreter, with executables: "any".',
    };
  }
  return undefined;
}

function dynamicRefusal({ interpreter, needed, elf, platform }: ExecutableReport): Diagnostic {
  const libraries = needed.length === 0 ? "no libraries" : needed.join(", ");
  return {
    code: "EXECUTABLE_DYNAMIC",
    severity: "error",
    message: `The program is dynamically linked, and the image is for static ones: it needs the interpreter ${interpreter ?? "(unreadable)"} and ${libraries}.`,
    hint: `${staticHint(platform, elf)} Or use a base that has what it needs, with executables: "self-contained".`,
  };
}
