import { baseName } from "../context/path.ts";
import { isLoaderName } from "./linkage.ts";
import { FileType, SegmentType, type ElfHeader, type Segment } from "./read.ts";
import type { Window } from "./window.ts";

/** Why the kernel kills a program as it maps it, or at its first instruction. */
export interface MappingFault {
  readonly code: "EXECUTABLE_NOT_LOADABLE" | "EXECUTABLE_NO_ENTRY";
  /** `warning`: some kernels, and some of their settings, let it start. */
  readonly severity: "error" | "warning";
  readonly message: string;
}

/** `PF_…`. */
const Flag = { execute: 1, write: 2, read: 4 } as const;
/** `EM_…`, of machines that have rules of their own. */
const Machine = { mips: 8, ppc64: 21, arm: 40, amd64: 62 } as const;
/** Where zeros are an instruction that does nothing, so that what follows them is reached. */
const zeroIsNothing: ReadonlySet<number> = new Set([Machine.mips, Machine.arm]);

/** No kernel has smaller ones, and where some have larger ones, what these refuse those refuse. */
const PAGE = 4096n;
/** Machines whose kernels have no other. */
const onePageSize: ReadonlySet<number> = new Set([3, 6, 22, 40, 62, 243]);
const pageSizes = [PAGE, 16_384n, 65_536n] as const;
/** The default of `vm.mmap_min_addr`, below which only privileged processes map anything. */
const LOWEST_ADDRESS = 65_536n;
/** Bytes. */
const MUCH_MEMORY = 2 ** 40;

/**
 * What Linux makes of a program's segments, in its order (fs/binfmt_elf.c, `load_elf_binary` and `elf_load`). By then the old program
 * is gone: who called execve is told nothing, and the process dies.
 *
 * @param interpreter - that the kernel starts instead, and it the program
 * @throws {ElfError} `ELF_TRUNCATED`
 */
export async function mappingFault(
  file: Window,
  header: ElfHeader,
  interpreter?: string,
): Promise<MappingFault | undefined> {
  const loads = header.segments.filter(({ type }) => type === SegmentType.load);
  const faults = [
    ...loads.map((load, n) => unmappable(load, n, header)),
    tooLow(header, loads),
    startsWithZeros(header, loads, interpreter),
    await entryFault(file, header, loads, interpreter),
    tooLarge(loads),
  ].filter((fault) => fault !== undefined);
  return faults.find(({ severity }) => severity === "error") ?? faults[0];
}

function notLoadable(message: string, severity: MappingFault["severity"] = "error"): MappingFault {
  return { code: "EXECUTABLE_NOT_LOADABLE", severity, message };
}

function unmappable(load: Segment, n: number, header: ElfHeader): MappingFault | undefined {
  const { address, offset, fileSize, memorySize } = load;
  const what = `The segment ${n + 1} of those that are loaded`;
  if (fileSize > memorySize) {
    return notLoadable(`${what} has ${fileSize} bytes in the file, and ${memorySize} in memory.`);
  }
  if (fileSize > 0 && (address - BigInt(offset)) % PAGE !== 0n) {
    return notLoadable(
      `${what} is at ${hex(BigInt(offset))} in the file and at ${hex(address)} in memory, which are not the same place of a page.`,
    );
  }
  const end = address + BigInt(memorySize);
  const { usual, most } = spaceOf(header);
  if (end <= usual) return undefined;
  const where = `${what} ends at ${hex(end)}`;
  return end > most
    ? notLoadable(`${where}, where no program has memory.`)
    : notLoadable(`${where}, where programs have memory on some machines only.`, "warning");
}

/** Behind the last address of programs: nearly everywhere, and on the largest of the machine's kernels. */
function spaceOf({ class: width, machine }: ElfHeader): { readonly usual: bigint; readonly most: bigint } {
  if (width === 32) return { usual: 1n << 32n, most: 1n << 32n };
  return { usual: 1n << 47n, most: machine === Machine.amd64 ? 1n << 56n : 1n << 63n };
}

function tooLow({ type }: ElfHeader, loads: readonly Segment[]): MappingFault | undefined {
  const low = loads.find(({ address, memorySize }) => memorySize > 0 && address < LOWEST_ADDRESS);
  if (type !== FileType.exec || low === undefined) return undefined;
  return notLoadable(
    `It is loaded at ${hex(low.address)}, which only kernels with a lower vm.mmap_min_addr than ${LOWEST_ADDRESS} allow.`,
    "warning",
  );
}

/** Nothing of the file is mapped first, so that nothing has a place for the rest. Kernels before 6.6 were of another mind, at times. */
function startsWithZeros(
  { type }: ElfHeader,
  loads: readonly Segment[],
  interpreter: string | undefined,
): MappingFault | undefined {
  const first = loads.find(({ memorySize }) => memorySize > 0);
  if (type !== FileType.dyn || interpreter !== undefined || first?.fileSize !== 0) return undefined;
  return notLoadable("The first of its segments has nothing of the file, and it loads anywhere.", "warning");
}

/** How much there is depends on the machine, and on its vm.overcommit_memory. */
function tooLarge(loads: readonly Segment[]): MappingFault | undefined {
  const large = loads.find(({ memorySize }) => memorySize > MUCH_MEMORY);
  if (large === undefined) return undefined;
  return notLoadable(
    `It starts with ${large.memorySize} bytes of memory, which most machines do not give.`,
    "warning",
  );
}

/** What the first instruction is on kernels of every page size: if it is one on some of them, the program may start. */
async function entryFault(
  file: Window,
  header: ElfHeader,
  loads: readonly Segment[],
  interpreter: string | undefined,
): Promise<MappingFault | undefined> {
  const sizes = onePageSize.has(header.machine) ? [PAGE] : pageSizes;
  const found = await Promise.all(sizes.map((page) => noEntry(file, header, loads, page)));
  const [fault] = found;
  if (fault === undefined || found.includes(undefined)) return undefined;
  // What an interpreter that nobody knows does with the entry is its own business.
  const isJumpedTo = interpreter === undefined || isLoaderName(baseName(interpreter));
  const isCertain = isJumpedTo && found.every((each) => each?.severity === "error");
  return {
    code: "EXECUTABLE_NO_ENTRY",
    severity: isCertain ? "error" : "warning",
    message: `The program begins at ${hex(header.entry)}, ${fault.where}.`,
  };
}

/** Why there is no instruction to begin with. */
interface NoEntry {
  readonly where: string;
  readonly severity: MappingFault["severity"];
}

async function noEntry(
  file: Window,
  header: ElfHeader,
  loads: readonly Segment[],
  page: bigint,
): Promise<NoEntry | undefined> {
  const { machine } = header;
  // The lowest bit says the instruction set.
  const hasMode = machine === Machine.arm || machine === Machine.mips;
  const entry = hasMode ? header.entry & ~1n : header.entry;
  const down = (at: bigint): bigint => at - (at % page);
  const up = (at: bigint): bigint => down(at + page - 1n);
  const certain = (where: string): NoEntry => ({ where, severity: "error" });

  if (loads.length === 0) return certain("and no segment of it is loaded: there is no PT_LOAD");
  // Of segments that share a page the last one has it.
  const load = loads.findLast(
    ({ address, memorySize }) =>
      memorySize > 0 && entry >= down(address) && entry < up(address + BigInt(memorySize)),
  );
  if (load === undefined) return certain("where nothing is loaded");
  const { address, offset, fileSize, memorySize, flags } = load;
  const at = entry - address + BigInt(offset);
  const isCleared = (flags & Flag.write) !== 0 && memorySize > fileSize;
  const end = address + BigInt(fileSize);
  const isFromFile = fileSize > 0 && entry < (isCleared ? end : up(end));
  if (isFromFile && down(at) >= BigInt(file.size)) {
    return certain("which is loaded from behind the end of the file");
  }
  if (!isFromFile || (await isZero(file, Number(at)))) {
    return zeroIsNothing.has(machine) ? undefined : certain("where there is nothing but zeros");
  }
  // The entry of the older ABI of PowerPC is the address of its address.
  const isDescriptor = machine === Machine.ppc64 && (header.flags & 3) !== 2;
  if ((flags & Flag.execute) !== 0 || isDescriptor) return undefined;
  return mayExecuteData(header, load)
    ? { where: "in a segment that only older kernels execute", severity: "warning" }
    : certain("in a segment that is not executable");
}

/** Whether no instruction is at a place of a file; what is outside of the file is none either. */
async function isZero(file: Window, at: number): Promise<boolean> {
  if (at < 0 || at >= file.size) return true;
  const { byteOffset, byteLength, buffer } = await file.view(at, Math.min(16, file.size - at));
  return new Uint8Array(buffer, byteOffset, byteLength).every((byte) => byte === 0);
}

/** Whether any kernel executes what is only readable (READ_IMPLIES_EXEC), as for programs that want an executable stack. */
function mayExecuteData({ class: width, segments }: ElfHeader, { flags }: Segment): boolean {
  const stack = segments.findLast(({ type }) => type === SegmentType.gnuStack);
  const isProtected = stack !== undefined && (stack.flags & Flag.execute) === 0;
  return (flags & Flag.read) !== 0 && (!isProtected || width === 32);
}

function hex(address: bigint): string {
  return `0x${address.toString(16)}`;
}
