import { ElfError } from "./elf-error.ts";
import { SegmentType, type ElfHeader, type Segment } from "./read.ts";
import type { Window } from "./window.ts";

/** What PT_DYNAMIC says to the loader; names as they are written, tokens unexpanded. */
export interface DynamicSection {
  readonly needed: readonly string[];
  readonly soname?: string;
  readonly rpath?: string;
  readonly runpath?: string;
  /** `DT_FLAGS_1`; see {@link DynamicFlag}. */
  readonly flags1: number;
  /** Libraries that stand in for this one: `DT_FILTER`, which must be there, and `DT_AUXILIARY`. */
  readonly filters?: readonly LibraryFilter[];
}

/** A library that another one puts before itself. glibc alone looks at them. */
export interface LibraryFilter {
  readonly name: string;
  readonly required: boolean;
}

/** Bits of `DT_FLAGS_1`. */
export const DynamicFlag = { noDefaultLibraries: 0x800, pie: 0x8000000 } as const;

/** A dynamic section with what is needed to read its versions and strings. */
export interface DynamicTable extends DynamicSection {
  /** Where things are in the file. */
  readonly strings?: { readonly offset: number; readonly size: number };
  readonly versionNeeds?: number;
  readonly versionDefinitions?: number;
  /** Of a tag that holds a number or an address, the last one. */
  value(tag: bigint): bigint | undefined;
}

const Tag = {
  null: 0n,
  needed: 1n,
  stringTable: 5n,
  stringSize: 10n,
  soname: 14n,
  rpath: 15n,
  runpath: 29n,
  flags1: 0x6ffffffbn,
  versionDefinitions: 0x6ffffffcn,
  versionNeeds: 0x6ffffffen,
  auxiliary: 0x7ffffffdn,
  filter: 0x7fffffffn,
} as const;

const limit = 1 << 20;

/**
 * Reads PT_DYNAMIC, by program headers alone: sections may be stripped. `undefined`: there is none. It ends with DT_NULL, whatever
 * size it is said to have: no kernel or loader looks at that.
 *
 * @throws {ElfError} `ELF_DYNAMIC_INVALID`, `ELF_TRUNCATED`, `ELF_TOO_LARGE`
 */
export async function readDynamic(file: Window, header: ElfHeader): Promise<DynamicTable | undefined> {
  const segment = header.segments.find(({ type }) => type === SegmentType.dynamic);
  if (segment === undefined) return undefined;
  const entries = await readEntries(file, header, segment);
  const first = (tag: bigint): bigint | undefined => entries.find((entry) => entry.tag === tag)?.value;
  const last = (tag: bigint): bigint | undefined => entries.findLast((entry) => entry.tag === tag)?.value;

  const address = last(Tag.stringTable);
  const offset = address === undefined ? undefined : fileOffset(header, address);
  const size = Number(last(Tag.stringSize) ?? 0n);
  const text = async (at: bigint): Promise<string> => {
    if (offset === undefined) {
      throw new ElfError("ELF_DYNAMIC_INVALID", "The dynamic section names strings and no table of them.");
    }
    if (at >= BigInt(size)) {
      throw new ElfError("ELF_DYNAMIC_INVALID", `The string ${at} is outside of the table of ${size} bytes.`);
    }
    return file.text(offset + Number(at));
  };
  const optional = async (tag: bigint): Promise<string | undefined> => {
    const at = last(tag);
    return at === undefined ? undefined : text(at);
  };

  const needed: string[] = [];
  for (const { tag, value } of entries) if (tag === Tag.needed) needed.push(await text(value));
  const filters: LibraryFilter[] = [];
  for (const { tag, value } of entries) {
    if (tag === Tag.filter || tag === Tag.auxiliary)
      filters.push({ name: await text(value), required: tag === Tag.filter });
  }
  const [soname, rpath, runpath] = [
    await optional(Tag.soname),
    await optional(Tag.rpath),
    await optional(Tag.runpath),
  ];
  const needs = first(Tag.versionNeeds);
  const definitions = first(Tag.versionDefinitions);
  return {
    needed,
    ...(soname === undefined ? {} : { soname }),
    ...(rpath === undefined ? {} : { rpath }),
    ...(runpath === undefined ? {} : { runpath }),
    flags1: Number((last(Tag.flags1) ?? 0n) & 0xffffffffn),
    ...(filters.length === 0 ? {} : { filters }),
    ...(offset === undefined ? {} : { strings: { offset, size } }),
    ...(needs === undefined ? {} : { versionNeeds: requiredOffset(header, needs) }),
    ...(definitions === undefined ? {} : { versionDefinitions: requiredOffset(header, definitions) }),
    value: last,
  };
}

/** @throws {ElfError} where the section is longer than what is read of it, and does not end there */
async function readEntries(file: Window, header: ElfHeader, segment: Segment): Promise<readonly Entry[]> {
  const { fileSize } = segment;
  // Loaders go by the address.
  const offset = fileOffset(header, segment.address) ?? segment.offset;
  const size = Math.min(fileSize, limit, Math.max(1, file.size - offset));
  const entries = [...entriesOf(await file.view(offset, size), header)];
  const isEnded = entries.length < Math.floor(size / (header.class / 4));
  if (size === fileSize || isEnded) return entries;
  throw size === limit
    ? new ElfError("ELF_TOO_LARGE", `PT_DYNAMIC has ${fileSize} bytes, and no end in the first ${limit}.`)
    : new ElfError("ELF_DYNAMIC_INVALID", "PT_DYNAMIC has no end in the file.");
}

interface Entry {
  readonly tag: bigint;
  readonly value: bigint;
}

function* entriesOf(table: DataView, header: ElfHeader): Generator<Entry, void, void> {
  const isLittle = header.endian === "little";
  const width = header.class / 8;
  const at = (position: number): bigint =>
    width === 8 ? table.getBigUint64(position, isLittle) : BigInt(table.getUint32(position, isLittle));
  for (let position = 0; position + 2 * width <= table.byteLength; position += 2 * width) {
    const tag = at(position);
    if (tag === Tag.null) return;
    yield { tag, value: at(position + width) };
  }
}

/** Where in the file the byte is that is loaded at an address. */
export function fileOffset(header: ElfHeader, address: bigint): number | undefined {
  const segment = header.segments.find(
    ({ type, address: start, fileSize }) =>
      type === SegmentType.load && address >= start && address < start + BigInt(fileSize),
  );
  return segment === undefined ? undefined : segment.offset + Number(address - segment.address);
}

function requiredOffset(header: ElfHeader, address: bigint): number {
  const offset = fileOffset(header, address);
  if (offset === undefined) {
    throw new ElfError(
      "ELF_DYNAMIC_INVALID",
      `The dynamic section points to 0x${address.toString(16)}, where nothing of the file is loaded.`,
    );
  }
  return offset;
}
