import { open, type Reader } from "elfinfo";
import { ElfError } from "./elf-error.ts";
import type { Window } from "./window.ts";

/** A program header: what the kernel and the loader see of a file. */
export interface Segment {
  /** `PT_…`. */
  readonly type: number;
  readonly flags: number;
  /** In the file; may be outside of it. */
  readonly offset: number;
  readonly address: bigint;
  /** In the file. */
  readonly fileSize: number;
  /** In memory. */
  readonly memorySize: number;
  readonly align: number;
}

/** The file header and the program headers. */
export interface ElfHeader {
  readonly class: 32 | 64;
  readonly endian: "little" | "big";
  /** `EI_OSABI`. */
  readonly osAbi: number;
  /** `ET_…`. */
  readonly type: number;
  /** `EM_…`. */
  readonly machine: number;
  readonly flags: number;
  readonly entry: bigint;
  readonly segments: readonly Segment[];
  /** Where the program header table ends in the file; 0 without one. */
  readonly tableEnd: number;
  /** Where the section header table is, if all of it is in the file, and which of them has the names. No start depends on sections. */
  readonly sectionTable?: { readonly offset: number; readonly count: number; readonly names: number };
}

/** `PT_…`, the ones that we know. */
export const SegmentType = {
  load: 1,
  dynamic: 2,
  interp: 3,
  note: 4,
  gnuStack: 0x6474e551,
  gnuProperty: 0x6474e553,
} as const;

/** `ET_…`. */
export const FileType = { none: 0, rel: 1, exec: 2, dyn: 3, core: 4 } as const;

// The kernel's own limit (ELF_MIN_ALIGN in fs/binfmt_elf.c).
const tableLimit = 65536;

/** Whether a file begins as an ELF file; the first four bytes do. */
export function looksLikeElf(head: Uint8Array): boolean {
  return head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
}

/**
 * Reads the header and the program headers, by elfinfo. This is the only file that knows it.
 *
 * What it would do with a whole file: read every symbol and relocation of every section one `await` at a time (a minute
 * for `node`), look strings up in quadratic time, and run for ever on some damaged section tables. It only warns of a wrong
 * magic, says nothing typed, takes no file of 64 bytes or fewer, and no program header table that overlaps the header, which the kernel takes.
 * So it is never given the file: it gets a small one of its own, made of the header with the section fields blanked and of
 * the program header table right behind it.
 *
 * @throws {ElfError} `ELF_NOT`, `ELF_HEADER_INVALID`, `ELF_TRUNCATED`, `ELF_PROGRAM_HEADERS_INVALID`
 */
export async function readHeader(file: Window): Promise<ElfHeader> {
  const ident = await file.view(0, Math.min(16, file.size));
  if (!looksLikeElf(bytesOf(ident))) throw new ElfError("ELF_NOT", "The file does not begin with \\x7fELF.");
  if (ident.byteLength < 16) throw new ElfError("ELF_TRUNCATED", "The file ends in its identification.");
  const is64 = ident.getUint8(4) === 2;
  const isLittle = ident.getUint8(5) === 1;
  if ((!is64 && ident.getUint8(4) !== 1) || (!isLittle && ident.getUint8(5) !== 2)) {
    throw new ElfError(
      "ELF_HEADER_INVALID",
      `The class ${ident.getUint8(4)} and byte order ${ident.getUint8(5)} should each be 1 or 2.`,
    );
  }
  const layout = is64 ? layout64 : layout32;
  if (file.size < layout.headerSize) {
    throw new ElfError(
      "ELF_TRUNCATED",
      `The file has ${file.size} bytes and its header ${layout.headerSize}.`,
    );
  }
  const raw = await file.view(0, layout.headerSize);
  checkIdentification(await file.view(0, Math.min(layout64.headerSize, file.size)), layout, isLittle);
  const type = raw.getUint16(16, isLittle);
  const table = tableOf(raw, layout, isLittle);
  const isProgram = type === FileType.exec || type === FileType.dyn;
  if (isProgram) checkTable(table, layout, file.size);
  const isReadable = isProgram && table.count > 0;
  const bytes = isReadable
    ? bytesOf(await file.view(table.offset, table.count * table.entrySize))
    : undefined;

  const elf = await parse(miniature(bytesOf(raw), layout, isLittle, bytes));
  return {
    class: is64 ? 64 : 32,
    endian: isLittle ? "little" : "big",
    osAbi: ident.getUint8(7),
    type,
    machine: elf.isa,
    flags: elf.flags,
    entry: BigInt(elf.entryPoint),
    segments: elf.segments.map((segment) => ({
      type: segment.type,
      flags: segment.flags,
      offset: segment.offset,
      address: BigInt(segment.vaddr),
      fileSize: segment.filesz,
      memorySize: segment.memsz,
      align: segment.align,
    })),
    tableEnd: isReadable ? table.offset + table.count * table.entrySize : 0,
    ...sectionTableOf(raw, layout, isLittle, file.size),
  };
}

interface Layout {
  readonly headerSize: number;
  readonly segmentSize: number;
  readonly sectionSize: number;
  readonly wide: boolean;
  /** Where the fields of the file header are. */
  readonly programOffset: number;
  readonly sectionOffset: number;
  readonly sizes: number;
}

const layout32: Layout = {
  headerSize: 52,
  segmentSize: 32,
  sectionSize: 40,
  wide: false,
  programOffset: 28,
  sectionOffset: 32,
  sizes: 40,
};
const layout64: Layout = {
  headerSize: 64,
  segmentSize: 56,
  sectionSize: 64,
  wide: true,
  programOffset: 32,
  sectionOffset: 40,
  sizes: 52,
};

interface Table {
  readonly offset: number;
  readonly entrySize: number;
  readonly count: number;
}

function tableOf(raw: DataView, layout: Layout, isLittle: boolean): Table {
  return {
    offset: word(raw, layout.programOffset, layout, isLittle),
    entrySize: raw.getUint16(layout.sizes + 2, isLittle),
    count: raw.getUint16(layout.sizes + 4, isLittle),
  };
}

/** The kernel goes by the machine and not by the identification; a file of which the two are not of one mind was tampered with. */
function checkIdentification(raw: DataView, layout: Layout, isLittle: boolean): void {
  const fits = (other: Layout, order: boolean): boolean =>
    other.headerSize <= raw.byteLength &&
    raw.getUint16(other.sizes, order) === other.headerSize &&
    raw.getUint16(other.sizes + 2, order) === other.segmentSize;
  const isOther = [layout32, layout64].some((other) => fits(other, true) || fits(other, false));
  if (fits(layout, isLittle) || !isOther) return;
  throw new ElfError(
    "ELF_HEADER_INVALID",
    `The identification says ${layout.wide ? 64 : 32} bits and ${isLittle ? "little" : "big"}-endian, and the rest of the header something else.`,
  );
}

function checkTable({ offset, entrySize, count }: Table, layout: Layout, size: number): void {
  if (entrySize !== layout.segmentSize || count === 0 || count * entrySize > tableLimit) {
    throw new ElfError(
      "ELF_PROGRAM_HEADERS_INVALID",
      `The kernel takes no ${count} program headers of ${entrySize} bytes: there must be at least one, of ${layout.segmentSize} bytes, and at most ${tableLimit} bytes of them.`,
    );
  }
  if (offset + count * entrySize > size) {
    throw new ElfError(
      "ELF_TRUNCATED",
      `The program headers end at ${offset + count * entrySize} and the file at ${size}.`,
    );
  }
}

function sectionTableOf(
  raw: DataView,
  layout: Layout,
  isLittle: boolean,
  size: number,
): Pick<ElfHeader, "sectionTable"> {
  const offset = word(raw, layout.sectionOffset, layout, isLittle);
  const count = raw.getUint16(layout.sizes + 8, isLittle);
  const names = raw.getUint16(layout.sizes + 10, isLittle);
  const isInside = offset > 0 && count > 0 && offset + count * layout.sectionSize <= size;
  return isInside ? { sectionTable: { offset, count, names } } : {};
}

/** The header without its section fields, then the program headers. */
function miniature(
  header: Uint8Array,
  layout: Layout,
  isLittle: boolean,
  table: Uint8Array | undefined,
): Uint8Array {
  // Longer than 64 bytes, or elfinfo calls it too small.
  const bytes = new Uint8Array(layout.headerSize + Math.max(table?.byteLength ?? 0, 64));
  bytes.set(header);
  if (table !== undefined) bytes.set(table, layout.headerSize);
  const view = new DataView(bytes.buffer);
  bytes.fill(0, layout.programOffset, layout.sectionOffset + (layout.wide ? 8 : 4));
  view.setUint8(layout.programOffset + (isLittle ? 0 : layout.wide ? 7 : 3), layout.headerSize);
  view.setUint16(layout.sizes, layout.headerSize, isLittle);
  if (table === undefined) view.setUint16(layout.sizes + 4, 0, isLittle);
  bytes.fill(0, layout.sizes + 6, layout.sizes + 12);
  return bytes;
}

type Parsed = NonNullable<Awaited<ReturnType<typeof open>>["elf"]>;

async function parse(bytes: Uint8Array): Promise<Parsed> {
  const { elf, errors } = await open(memoryReader(bytes));
  if (elf === undefined) throw new ElfError("ELF_HEADER_INVALID", errors.join(" "));
  return elf;
}

/** elfinfo's own reader for buffers takes position 0 for "go on"; this one does not. */
function memoryReader(bytes: Uint8Array): Reader {
  let next = 0;
  const take = (length: number, position = next): Uint8Array => {
    next = position + length;
    return bytes.subarray(position, next);
  };
  return {
    open: async () => {},
    close: async () => {},
    size: () => bytes.byteLength,
    read: async (length, position) => take(length, position),
    view: async (length, position) => {
      const found = take(length, position);
      return new DataView(found.buffer, found.byteOffset, found.byteLength);
    },
  };
}

function word(view: DataView, at: number, layout: Layout, isLittle: boolean): number {
  return layout.wide ? Number(view.getBigUint64(at, isLittle)) : view.getUint32(at, isLittle);
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
