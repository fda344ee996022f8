import { formatPlatform, type Diagnostic, type Platform } from "@undocked/registry";
import type { ElfFacts } from "./elf.ts";

/** Levels of a processor, in words and in an order. */
interface Level {
  /** As a platform's variant, or as its maker calls it. */
  readonly name: string;
  readonly order: number;
}

/** Whether a program asks more of the processor than the platform promises: it ends there with an illegal instruction, or by its own check. */
export function cpuLevelProblem(elf: ElfFacts, platform: Platform): Diagnostic | undefined {
  const offered = offeredLevel(platform);
  const needed = neededLevels(elf, platform).reduce<Level | undefined>(
    (highest, level) => (highest === undefined || level.order > highest.order ? level : highest),
    undefined,
  );
  if (offered === undefined || needed === undefined || needed.order <= offered.order) return undefined;
  return {
    code: "EXECUTABLE_CPU_LEVEL",
    severity: "warning",
    message: `The program needs ${needed.name}, and the image says ${formatPlatform(platform)}, which promises ${offered.name}.`,
    hint: hintOf(platform, offered),
  };
}

/** Arm before v6 has no floating point registers that a program could count on. */
export function floatProblem(elf: ElfFacts, platform: Platform): Diagnostic | undefined {
  if (platform.architecture !== "arm" || (armVariant(platform) ?? 7) > 5) return undefined;
  const isHard = (elf.flags & 0x400) !== 0 || elf.arm?.float === "hard";
  if (!isHard) return undefined;
  return {
    code: "EXECUTABLE_FLOAT_ABI",
    severity: "warning",
    message: `The program hands numbers over in floating point registers (armhf), and the image says ${formatPlatform(platform)}.`,
    hint: "Compile it with -mfloat-abi=soft (armel), or build the image for linux/arm/v7.",
  };
}

function neededLevels(elf: ElfFacts, { architecture }: Platform): readonly Level[] {
  const { go = {}, notes, arm } = elf;
  switch (architecture) {
    case "amd64":
      return [notes.x86Level, number(go["GOAMD64"])].flatMap((level) =>
        level === undefined ? [] : [{ name: `x86-64-v${level}`, order: level }],
      );
    case "arm":
      return [arm?.level, number(go["GOARM"])].flatMap((level) =>
        level === undefined ? [] : [{ name: `Arm v${level}`, order: level }],
      );
    case "arm64":
      return arm64Level(go["GOARM64"]);
    case "riscv64":
      return riscvLevel(go["GORISCV64"]);
    case "ppc64le":
    case "ppc64":
      return powerLevel(go["GOPPC64"]);
    case "mips":
    case "mipsle":
    case "mips64":
    case "mips64le":
      return [{ name: "MIPS release 6", order: isMipsR6(elf.flags) ? 6 : 0 }];
    default:
      return [];
  }
}

function offeredLevel(platform: Platform): Level | undefined {
  const { architecture, variant } = platform;
  switch (architecture) {
    case "amd64": {
      const level = number(variant ?? "v1");
      return level === undefined || level > 4 ? undefined : { name: `x86-64-v${level}`, order: level };
    }
    case "arm": {
      const level = armVariant(platform);
      return level === undefined ? undefined : { name: `Arm v${level}`, order: level };
    }
    case "arm64":
      return arm64Level(variant ?? "v8.0")[0];
    case "riscv64":
      return riscvLevel(variant ?? "rva20u64")[0];
    case "ppc64le":
    case "ppc64":
      return powerLevel(variant ?? "power8")[0];
    case "mips":
    case "mipsle":
    case "mips64":
    case "mips64le":
      return { name: "a release before", order: 5 };
    default:
      return undefined;
  }
}

/** `v3` and `7,softfloat` begin with a number. */
function number(text: string | undefined): number | undefined {
  const [, digits] = /^v?(\d{1,2})(?:[,.]|$)/.exec(text ?? "") ?? [];
  return digits === undefined ? undefined : Number(digits);
}

function armVariant({ variant }: Platform): number | undefined {
  return number(variant ?? "v7");
}

/** v9.N has all of v8.(N+5). */
function arm64Level(text: string | undefined): readonly Level[] {
  const [, major, minor = "0"] = /^v([89])(?:\.(\d))?(?:,|$)/.exec(text ?? "") ?? [];
  if (major === undefined) return [];
  return [{ name: `Arm v${major}.${minor}`, order: Number(minor) + (major === "9" ? 5 : 0) }];
}

function riscvLevel(text: string | undefined): readonly Level[] {
  const [name, year] = /^rva(\d\d)u64$/.exec(text ?? "") ?? [];
  return name === undefined ? [] : [{ name, order: Number(year) }];
}

function powerLevel(text: string | undefined): readonly Level[] {
  const [, level] = /^power(\d{1,2})$/.exec(text ?? "") ?? [];
  return level === undefined ? [] : [{ name: `POWER${level}`, order: Number(level) }];
}

/** `EF_MIPS_ARCH_32R6` and `EF_MIPS_ARCH_64R6`; earlier processors have another instruction set. */
function isMipsR6(flags: number): boolean {
  const architecture = flags >>> 28;
  return architecture === 9 || architecture === 10;
}

function hintOf({ architecture }: Platform, { name, order }: Level): string {
  switch (architecture) {
    case "amd64":
      return `Compile it with -march=x86-64${order === 1 ? "" : `-v${order}`} (Go: GOAMD64=v${order}), or build the image for a platform such as linux/amd64/v3.`;
    case "arm":
      return `Compile it with -march=armv${order}${order === 5 ? "te" : order === 7 ? "-a" : ""} (Go: GOARM=${Math.min(order, 7)}), or build the image for a platform such as linux/arm/v7.`;
    case "arm64":
      return "Compile it with -march=armv8-a (Go: GOARM64=v8.0), or name the processor as the platform's variant.";
    default:
      return `Compile it for ${name}, or name the processor as the platform's variant.`;
  }
}
