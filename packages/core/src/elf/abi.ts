import type { ElfFacts } from "./elf.ts";

/** What each port of the loader compares of `e_flags` (glibc, sysdeps/…/dl-machine.h, `elf_machine_matches_host`). */
export function sameAbi(a: ElfFacts, b: ElfFacts): boolean {
  switch (a.machine) {
    case 40: {
      // Arm's hard and soft float cannot be mixed; a file that says neither fits both.
      const [x, y] = [a.flags & 0x600, b.flags & 0x600];
      return x === 0 || y === 0 || x === y;
    }
    case 8:
      // EF_MIPS_NAN2008 and EF_MIPS_ABI2.
      return (a.flags & 0x420) === (b.flags & 0x420);
    case 21: {
      // EF_PPC64_ABI: 0 says neither.
      const [x, y] = [a.flags & 3, b.flags & 3];
      return x === 0 || y === 0 || x === y;
    }
    case 243:
      // EF_RISCV_FLOAT_ABI and EF_RISCV_RVE.
      return (a.flags & 0xe) === (b.flags & 0xe);
    default:
      return true;
  }
}
