import type { Platform } from "@undocked/registry";

/** What a file's header says about the processor. */
export interface MachineFacts {
  /** `EM_…`. */
  readonly machine: number;
  readonly class: 32 | 64;
  readonly endian: "little" | "big";
}

/** A platform in the words of compilers. */
export interface CompilerTarget {
  readonly goarch: string;
  readonly rust: string;
  readonly zig: string;
  /** What gcc's name begins with when it is not the machine's own. */
  readonly gcc: string;
}

interface Target extends MachineFacts {
  readonly rust: string;
  readonly zig: string;
  readonly gcc: string;
}

const target = (
  machine: number,
  width: 32 | 64,
  endian: "little" | "big",
  [rust, zig, gcc]: readonly [rust: string, zig: string, gcc: string],
): Target => ({ machine, class: width, endian, rust, zig, gcc });

/** By the OCI architecture, which is Go's too. */
const targets: Readonly<Record<string, Target>> = {
  "386": target(3, 32, "little", ["i686-unknown-linux-musl", "x86-linux-musl", "i686-linux-gnu"]),
  amd64: target(62, 64, "little", ["x86_64-unknown-linux-musl", "x86_64-linux-musl", "x86_64-linux-gnu"]),
  arm: target(40, 32, "little", [
    "armv7-unknown-linux-musleabihf",
    "arm-linux-musleabihf",
    "arm-linux-gnueabihf",
  ]),
  arm64: target(183, 64, "little", ["aarch64-unknown-linux-musl", "aarch64-linux-musl", "aarch64-linux-gnu"]),
  loong64: target(258, 64, "little", [
    "loongarch64-unknown-linux-musl",
    "loongarch64-linux-musl",
    "loongarch64-linux-gnu",
  ]),
  mips: target(8, 32, "big", ["mips-unknown-linux-musl", "mips-linux-musleabihf", "mips-linux-gnu"]),
  mips64: target(8, 64, "big", [
    "mips64-unknown-linux-muslabi64",
    "mips64-linux-muslabi64",
    "mips64-linux-gnuabi64",
  ]),
  mips64le: target(8, 64, "little", [
    "mips64el-unknown-linux-muslabi64",
    "mips64el-linux-muslabi64",
    "mips64el-linux-gnuabi64",
  ]),
  mipsle: target(8, 32, "little", [
    "mipsel-unknown-linux-musl",
    "mipsel-linux-musleabihf",
    "mipsel-linux-gnu",
  ]),
  ppc64: target(21, 64, "big", [
    "powerpc64-unknown-linux-musl",
    "powerpc64-linux-musl",
    "powerpc64-linux-gnu",
  ]),
  ppc64le: target(21, 64, "little", [
    "powerpc64le-unknown-linux-musl",
    "powerpc64le-linux-musl",
    "powerpc64le-linux-gnu",
  ]),
  riscv64: target(243, 64, "little", [
    "riscv64gc-unknown-linux-musl",
    "riscv64-linux-musl",
    "riscv64-linux-gnu",
  ]),
  s390x: target(22, 64, "big", ["s390x-unknown-linux-musl", "s390x-linux-musl", "s390x-linux-gnu"]),
};

const names: Readonly<Record<number, string>> = {
  2: "SPARC",
  3: "x86",
  4: "m68k",
  6: "i486",
  8: "MIPS",
  15: "PA-RISC",
  20: "PowerPC",
  21: "PowerPC",
  22: "S/390",
  40: "Arm",
  42: "SuperH",
  43: "SPARC V9",
  50: "Itanium",
  62: "x86-64",
  94: "Xtensa",
  183: "AArch64",
  243: "RISC-V",
  247: "eBPF",
  258: "LoongArch",
};

/** The architecture of OCI that a file's header fits; `undefined`: none that images are made for. */
export function architectureOf({ machine, class: width, endian }: MachineFacts): string | undefined {
  const wanted = machine === 6 ? 3 : machine;
  return Object.entries(targets).find(
    ([, target]) => target.machine === wanted && target.class === width && target.endian === endian,
  )?.[0];
}

/** For people: `arm64`, or `64-bit little-endian machine 300`. */
export function describeMachine(facts: MachineFacts): string {
  return (
    architectureOf(facts) ??
    `${facts.class}-bit ${facts.endian}-endian ${names[facts.machine] ?? `machine ${facts.machine}`}`
  );
}

/**
 * Whether a platform's kernel is for that machine. `compatible`: a 32-bit program that most kernels of the platform run too, and
 * that is not what the platform says. `undefined`: the platform is none that we know.
 */
export function machineMatch(
  facts: MachineFacts,
  platform: Platform,
): "match" | "compatible" | "mismatch" | undefined {
  if (targetOf(platform) === undefined) return undefined;
  const found = architectureOf(facts);
  if (found === platform.architecture) return "match";
  return found === "386" && platform.architecture === "amd64" ? "compatible" : "mismatch";
}

/** What compilers call a platform; `undefined`: none that we know. */
export function compilerTarget(platform: Platform): CompilerTarget | undefined {
  const found = targetOf(platform);
  if (found === undefined) return undefined;
  const { rust, zig, gcc } = found;
  return { goarch: platform.architecture, rust, zig, gcc };
}

function targetOf({ os, architecture }: Platform): Target | undefined {
  return os === "linux" && Object.hasOwn(targets, architecture) ? targets[architecture] : undefined;
}
