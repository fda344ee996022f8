/** Programs that say one word and end, made of what the test says they have: to be started for real, however badly they are linked. */

/** A program header. */
export interface WordSegment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number | bigint;
  readonly address: number | bigint;
  readonly fileSize: number | bigint;
  readonly memorySize: number | bigint;
  readonly align?: number | bigint;
}

export interface WordElf {
  readonly width?: 32 | 64;
  /** `ET_…`. Default 2, ET_EXEC. */
  readonly type?: number;
  readonly entry: number | bigint;
  readonly segments: readonly WordSegment[];
  /** What lies where in the file. Default: the code at {@link codeOffset}. */
  readonly parts?: readonly (readonly [offset: number, bytes: Uint8Array])[];
  /** Bytes. Default: {@link fileSize}. */
  readonly size?: number;
}

/** `PT_…`. */
export const Pt = { load: 1, dynamic: 2, interp: 3, phdr: 6, gnuStack: 0x6474e551 } as const;
/** `PF_…`. */
export const Pf = { x: 1, rw: 6, r: 4, rx: 5 } as const;
export const word = "ok";
export const codeOffset = 0x1000;
export const fileSize = 0x3000;

const code64 = "68 6f6b0a00 b801000000 89c7 4889e6 ba03000000 0f05 b83c000000 31ff 0f05";
const code32 = "68 6f6b0a00 b804000000 bb01000000 89e1 ba03000000 cd80 b801000000 31db cd80";

/** The word's code, which stands anywhere and needs but a stack. */
export function wordCode(width: 32 | 64 = 64): Uint8Array {
  return Buffer.from((width === 64 ? code64 : code32).replaceAll(" ", ""), "hex");
}

export function buildWordElf(wanted: WordElf): Uint8Array {
  const { width = 64, type = 2, entry, segments, size = fileSize } = wanted;
  const wide = width === 64;
  const file = Buffer.alloc(size);
  const word = (value: number | bigint, at: number): void => {
    if (wide) file.writeBigUInt64LE(BigInt(value), at);
    else file.writeUInt32LE(Number(value), at);
  };
  const [headerSize, segmentSize, step] = wide ? [64, 56, 8] : [52, 32, 4];
  file.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  file.writeUInt16LE(type, 16);
  file.writeUInt16LE(wide ? 62 : 3, 18);
  file.writeUInt32LE(1, 20);
  word(entry, 24);
  word(headerSize, 24 + step);
  for (const [n, value] of [headerSize, segmentSize, segments.length].entries())
    file.writeUInt16LE(value, 28 + 3 * step + 2 * n);
  for (const [n, segment] of segments.entries()) {
    const at = headerSize + n * segmentSize;
    const { offset, address, fileSize: inFile, memorySize, align = 0x1000 } = segment;
    file.writeUInt32LE(segment.type, at);
    file.writeUInt32LE(segment.flags, wide ? at + 4 : at + 24);
    for (const [k, value] of [offset, address, address, inFile, memorySize].entries())
      word(value, at + (wide ? 8 : 4) + k * step);
    word(align, wide ? at + 48 : at + 28);
  }
  for (const [offset, bytes] of wanted.parts ?? [[codeOffset, wordCode(width)]]) file.set(bytes, offset);
  return new Uint8Array(file);
}

type Field = readonly [name: string, at: number, size: number];

const headerFields: Readonly<Record<32 | 64, readonly Field[]>> = {
  64: [
    ["EI_CLASS", 4, 1],
    ["EI_DATA", 5, 1],
    ["EI_VERSION", 6, 1],
    ["EI_OSABI", 7, 1],
    ["e_type", 16, 2],
    ["e_machine", 18, 2],
    ["e_version", 20, 4],
    ["e_entry", 24, 8],
    ["e_phoff", 32, 8],
    ["e_shoff", 40, 8],
    ["e_flags", 48, 4],
    ["e_phentsize", 54, 2],
    ["e_phnum", 56, 2],
    ["e_shnum", 60, 2],
  ],
  32: [
    ["EI_CLASS", 4, 1],
    ["e_type", 16, 2],
    ["e_machine", 18, 2],
    ["e_entry", 24, 4],
    ["e_phoff", 28, 4],
    ["e_phentsize", 42, 2],
    ["e_phnum", 44, 2],
  ],
};

const segmentFields: Readonly<Record<32 | 64, readonly Field[]>> = {
  64: [
    ["p_type", 0, 4],
    ["p_flags", 4, 4],
    ["p_offset", 8, 8],
    ["p_vaddr", 16, 8],
    ["p_paddr", 24, 8],
    ["p_filesz", 32, 8],
    ["p_memsz", 40, 8],
    ["p_align", 48, 8],
  ],
  32: [
    ["p_type", 0, 4],
    ["p_offset", 4, 4],
    ["p_vaddr", 8, 4],
    ["p_paddr", 12, 4],
    ["p_filesz", 16, 4],
    ["p_memsz", 20, 4],
    ["p_flags", 24, 4],
    ["p_align", 28, 4],
  ],
};

/** A program with one or two fields of its headers changed, and which. */
export function mutateWordElf(
  elf: WordElf,
  random: (below: number) => number,
): { readonly bytes: Uint8Array; readonly changes: string } {
  const { width = 64, segments } = elf;
  const file = Buffer.from(buildWordElf(elf));
  const [headerSize, segmentSize] = width === 64 ? [64, 56] : [52, 32];
  const changes: string[] = [];
  for (let left = 1 + random(2); left > 0; left--) {
    const isHeader = random(5) === 0;
    const fields = (isHeader ? headerFields : segmentFields)[width];
    const [name, at, size] = fields[random(fields.length)] ?? ["", 0, 1];
    const segment = random(segments.length);
    const place = isHeader ? at : headerSize + segmentSize * segment + at;
    const old = size === 8 ? file.readBigUInt64LE(place) : BigInt(file.readUIntLE(place, size));
    const bit = 1n << BigInt(random(size * 8));
    const near = [1n, -1n, 0x10n, 0x800n, 0x1000n, -0x1000n].map((step) => old + step);
    const values = [
      0n,
      1n,
      2n,
      3n,
      -1n,
      ...near,
      old * 2n,
      old ^ bit,
      bit,
      BigInt(random(0x5000)),
      0x401000n,
    ];
    const value = BigInt.asUintN(size * 8, values[random(values.length)] ?? 0n);
    if (size === 8) file.writeBigUInt64LE(value, place);
    else file.writeUIntLE(Number(value), place, size);
    changes.push(`${isHeader ? "" : `${segment}.`}${name} = 0x${value.toString(16)}`);
  }
  return { bytes: new Uint8Array(file), changes: changes.join(", ") };
}

/** Whether what lies at a program's entry is the word's code still, by its own header: what it does elsewhere nobody can say. */
export function wordCodeAtEntry(bytes: Uint8Array, width: 32 | 64 = 64): boolean {
  const file = Buffer.from(bytes);
  const wide = width === 64;
  const word = (at: number): bigint => (wide ? file.readBigUInt64LE(at) : BigInt(file.readUInt32LE(at)));
  const [table, step] = wide ? [word(32), 56] : [word(28), 32];
  if (table !== (wide ? 64n : 52n)) return false;
  const entry = word(24);
  const page = (at: bigint): bigint => at / 0x1000n;
  let place = -1n;
  for (let n = 0; n < file.readUInt16LE(wide ? 56 : 44); n++) {
    const at = Number(table) + n * step;
    if (at + step > codeOffset || file.readUInt32LE(at) !== Pt.load) continue;
    const [offset, address, size, memory] = wide
      ? [word(at + 8), word(at + 16), word(at + 32), word(at + 40)]
      : [word(at + 4), word(at + 8), word(at + 16), word(at + 20)];
    const isThere = memory > 0n && page(entry) >= page(address) && page(entry) <= page(address + memory - 1n);
    // What is behind the file's part is cleared where it may be.
    if (isThere) place = size < 0x20n ? -1n : entry - address + offset;
  }
  return place === BigInt(codeOffset);
}
