import { formatPlatform, type Diagnostic, type Platform } from "@undocked/registry";
import { cpuLevelProblem, floatProblem } from "./cpu-level.ts";
import { DynamicFlag } from "./dynamic.ts";
import type { ElfFacts } from "./elf.ts";
import { architectureOf, compilerTarget, describeMachine, machineMatch } from "./machine.ts";

/** Why an ELF file does not start on a platform, and what about it may surprise, in the order in which the kernel would meet it. */
export function elfProblems(elf: ElfFacts, platform: Platform): readonly Diagnostic[] {
  return [
    typeProblem(elf),
    machineProblem(elf, platform),
    systemProblem(elf, platform),
    wholenessProblem(elf),
    ...elf.faults.map(({ code, message }) =>
      error(code, message, "Build or copy the file again: it is damaged."),
    ),
    linkageProblem(elf),
    mappingProblem(elf),
    ...surprises(elf, platform),
  ].filter((problem) => problem !== undefined);
}

function error(code: string, message: string, hint: string): Diagnostic {
  return { code, severity: "error", message, hint };
}

function warning(code: string, message: string, hint: string): Diagnostic {
  return { code, severity: "warning", message, hint };
}

function typeProblem({ type }: ElfFacts): Diagnostic | undefined {
  switch (type) {
    case "exec":
    case "dyn":
      return undefined;
    case "rel":
      return error(
        "EXECUTABLE_OBJECT_FILE",
        "The file is an object file, not a program.",
        "Link it, without -c, and copy the program.",
      );
    case "core":
      return error(
        "EXECUTABLE_CORE",
        "The file is a memory dump of a program that ended.",
        "Copy the program instead.",
      );
    case "other":
      return error(
        "EXECUTABLE_NOT_PROGRAM",
        "The ELF file says that it is neither a program nor a library.",
        "Copy the program that the linker made.",
      );
  }
}

function machineProblem(elf: ElfFacts, platform: Platform): Diagnostic | undefined {
  const match = machineMatch(elf, platform);
  if (match === "match" || match === undefined) return undefined;
  const target = compilerTarget(platform);
  const its = architectureOf(elf);
  const orElse =
    its === undefined ? "" : ` Or build the image for ${formatPlatform({ os: "linux", architecture: its })}.`;
  const hint =
    target === undefined
      ? `Build it for ${formatPlatform(platform)}.`
      : `Build it for ${formatPlatform(platform)}: GOARCH=${target.goarch} go build, cargo build --target ${target.rust}, ${target.gcc}-gcc, or zig cc -target ${target.zig}.${orElse}`;
  if (match === "compatible") {
    return warning(
      "EXECUTABLE_WRONG_MACHINE",
      `The file is for ${describeMachine(elf)}, and the image for ${formatPlatform(platform)}: it starts only on kernels that run 32-bit programs too.`,
      hint,
    );
  }
  return error(
    "EXECUTABLE_WRONG_MACHINE",
    `The file is for ${describeMachine(elf)}, and the image for ${formatPlatform(platform)}: exec format error.`,
    hint,
  );
}

/** Those that have, or had, a machine that images are for. */
const systems: Readonly<Record<number, string>> = {
  2: "NetBSD",
  6: "Solaris",
  8: "IRIX",
  9: "FreeBSD",
  12: "OpenBSD",
  17: "CloudABI",
};

/** Loaders that no Linux has, or none that runs containers. */
const foreignLoaders: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "/libexec/ld-elf.so.1": "FreeBSD",
    "/usr/libexec/ld.elf_so": "NetBSD",
    "/usr/libexec/ld.so": "OpenBSD",
    "/usr/libexec/ld-elf.so.2": "DragonFly",
    "/lib/amd64/ld.so.1": "Solaris",
    "/usr/lib/amd64/ld.so.1": "Solaris",
    "/system/bin/linker64": "Android",
    "/system/bin/linker": "Android",
  }),
);

/** The kernel does not look: a program of another system starts and dies in its first system call. */
function systemProblem(
  { osAbi, notes, interpreter, go }: ElfFacts,
  platform: Platform,
): Diagnostic | undefined {
  if (platform.os !== "linux") return undefined;
  const isMarked = osAbi !== 0 && osAbi !== 3;
  const system =
    foreignLoaders.get(interpreter ?? "") ??
    (notes.abi?.os === "Linux" ? undefined : notes.abi?.os) ??
    (["linux", "android", undefined].includes(go?.["GOOS"]) ? undefined : go?.["GOOS"]) ??
    (isMarked ? systems[osAbi] : undefined);
  const hint = "Leave --osabi and elfedit out.";
  if (system === undefined) {
    if (!isMarked) return undefined;
    const message = `The header says the system ${osAbi}, which is none that we know; the kernel does not look at it.`;
    return warning("EXECUTABLE_WRONG_OS", message, hint);
  }
  if (notes.abi?.os === "Linux") {
    const message = `The header says ${system}, and a note of the linker GNU/Linux; the kernel starts it.`;
    return warning("EXECUTABLE_WRONG_OS", message, hint);
  }
  return error(
    "EXECUTABLE_WRONG_OS",
    `The file is for ${system}; on Linux it dies in its first system call.`,
    "Build it for Linux: GOOS=linux go build, or a *-linux-* target.",
  );
}

function wholenessProblem({ wholeness }: ElfFacts): Diagnostic | undefined {
  switch (wholeness) {
    case "whole":
      return undefined;
    case "debug-only":
      return error(
        "EXECUTABLE_DEBUG_ONLY",
        "The file has a program's debug information and not its code.",
        "Copy the program that the information belongs to.",
      );
    case "truncated":
      return error(
        "EXECUTABLE_TRUNCATED",
        "The file ends before what its headers promise.",
        "Copy or download it again.",
      );
  }
}

function linkageProblem({ linkage, needed, interpreter, faults }: ElfFacts): Diagnostic | undefined {
  switch (linkage) {
    case "static":
    case "static-pie":
    case "loader":
    case "not-executable":
      return undefined;
    case "dynamic":
      if (interpreter === undefined || interpreter.startsWith("/")) return undefined;
      return warning(
        "EXECUTABLE_INTERPRETER_RELATIVE",
        `The interpreter ${interpreter} is sought from the working directory.`,
        "Link it with -Wl,--dynamic-linker and an absolute path.",
      );
    case "broken":
      if (faults.length > 0) return undefined;
      return error(
        "EXECUTABLE_NO_INTERPRETER",
        `The program needs ${needed.join(", ")} and names no interpreter that would load them.`,
        "Link it as a whole by the compiler, with -static or without --no-dynamic-linker.",
      );
    case "packed":
      return error(
        "EXECUTABLE_PACKED",
        "The program unpacks itself when it starts, so that nobody can see what it needs.",
        "Leave upx out: layers are compressed anyway.",
      );
    case "shared":
      return error(
        "EXECUTABLE_SHARED_LIBRARY",
        "The file is a shared library, not a program.",
        "Link it without -shared; in Go without -buildmode=c-shared, in Rust without crate-type cdylib.",
      );
  }
}

function mappingProblem({ mapping }: ElfFacts): Diagnostic | undefined {
  if (mapping === undefined) return undefined;
  const hint =
    mapping.code === "EXECUTABLE_NO_ENTRY"
      ? "Define _start in code that is linked in, or link it by the compiler rather than by ld."
      : "Link it by the compiler, without a linker script and without -Ttext, -N and --image-base.";
  return { ...mapping, hint };
}

function surprises(elf: ElfFacts, platform: Platform): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  const isProgram = elf.linkage === "static" || elf.linkage === "static-pie" || elf.linkage === "dynamic";
  if (isProgram && elf.entry === "0x0" && elf.mapping === undefined) {
    found.push(
      warning(
        "EXECUTABLE_NO_ENTRY",
        "The program begins at address 0: the linker found no entry point.",
        "Define _start, or link it by the compiler rather than by ld.",
      ),
    );
  }
  if (elf.linkage === "static-pie" && (elf.flags1 & DynamicFlag.pie) === 0) {
    found.push(
      warning(
        "EXECUTABLE_PIE_UNMARKED",
        "The file could be a library or a static program: it lacks the linker's mark for programs (DF_1_PIE).",
        "Link it by a linker of 2015 or later, with -static-pie.",
      ),
    );
  }
  if (elf.opensNss === true) {
    found.push(
      warning(
        "EXECUTABLE_OPENS_LIBRARIES",
        "The program is static, and yet opens libnss_….so of the very glibc that it was linked with when it looks up users or hosts.",
        "Link it with musl, or have that glibc's libraries in the image.",
      ),
    );
  }
  const ofProcessor = [cpuLevelProblem(elf, platform), floatProblem(elf, platform)];
  return [...found, ...ofProcessor.filter((problem) => problem !== undefined)];
}
