import { fileOffset, type DynamicTable } from "./dynamic.ts";
import type { ElfHeader } from "./read.ts";
import type { Window } from "./window.ts";

/** What a file wants of others and gives to them when its loader binds every symbol at the start, as musl's does. */
export interface Symbols {
  /** Names that relocations ask for and that must be found. */
  readonly wanted: readonly string[];
  /** {@link symbolHash} of each name that others find here: sorted, four bytes each, little-endian, as base64. */
  readonly given: string;
}

const Tag = {
  hash: 4n,
  symbols: 6n,
  rela: 7n,
  relaSize: 8n,
  rel: 17n,
  relSize: 18n,
  pltSize: 2n,
  pltKind: 20n,
  plt: 23n,
  gnuHash: 0x6ffffef5n,
  versions: 0x6ffffff0n,
} as const;

/** Of each table. Larger ones than musl's programs have are left alone. */
const sizeLimit = 1 << 20;
const wantedLimit = 16_384;

/**
 * Reads the dynamic symbols and the relocations that name them. `undefined`: they are larger than is read, or their tables are
 * not where they should be.
 */
export async function readSymbols(
  file: Window,
  header: ElfHeader,
  dynamic: DynamicTable,
): Promise<Symbols | undefined> {
  const { strings } = dynamic;
  const table = await symbolTable(file, header, dynamic);
  if (strings === undefined || table === undefined || strings.size > sizeLimit) return undefined;
  const names = Buffer.from(await bytesAt(file, strings.offset, strings.size));
  const asked = await relocated(file, header, dynamic);
  if (asked === undefined) return undefined;
  const hidden = await hiddenSymbols(file, header, dynamic, table.count);
  const wanted = new Set<string>();
  const given = new Set<number>();
  for (let at = 1; at < table.count; at++) {
    const symbol = table.symbol(at);
    const end = names.indexOf(0, symbol.name);
    const name = names.toString("latin1", symbol.name, end === -1 ? symbol.name : end);
    if (name === "") continue;
    if (symbol.section === 0) {
      if (asked.has(at) && symbol.binding === Binding.global) wanted.add(name);
    } else if (isGiven(symbol) && !hidden(at)) given.add(symbolHash(name));
  }
  if (wanted.size > wantedLimit) return undefined;
  return { wanted: [...wanted], given: encode(given) };
}

/** As the GNU hash table has it. */
export function symbolHash(name: string): number {
  let hash = 5381;
  for (const byte of Buffer.from(name, "latin1")) hash = (Math.imul(hash, 33) + byte) >>> 0;
  return hash;
}

/** The hashes that were given, to look names up in. */
export function givenBy({ given }: Symbols): ReadonlySet<number> {
  const bytes = Buffer.from(given, "base64");
  return new Set(Array.from({ length: bytes.byteLength >> 2 }, (_, at) => bytes.readUInt32LE(at * 4)));
}

function encode(hashes: ReadonlySet<number>): string {
  const sorted = [...hashes].sort((a, b) => a - b);
  const bytes = Buffer.alloc(sorted.length * 4);
  for (const [at, hash] of sorted.entries()) bytes.writeUInt32LE(hash, at * 4);
  return bytes.toString("base64");
}

const Binding = { global: 1, weak: 2, unique: 10 } as const;
const threadLocal = 6;
/** None, object, function, common, thread-local. */
const types = new Set([0, 1, 2, 5, threadLocal]);
const bindings = new Set<number>(Object.values(Binding));

interface DynamicSymbol {
  readonly name: number;
  readonly binding: number;
  readonly type: number;
  readonly section: number;
  readonly value: bigint;
}

/** As musl finds one (ldso/dynlink.c, `find_sym`). */
function isGiven({ binding, type, value }: DynamicSymbol): boolean {
  return bindings.has(binding) && types.has(type) && (value !== 0n || type === threadLocal);
}

interface SymbolTable {
  readonly count: number;
  symbol(at: number): DynamicSymbol;
}

async function symbolTable(
  file: Window,
  header: ElfHeader,
  dynamic: DynamicTable,
): Promise<SymbolTable | undefined> {
  const start = offsetOf(header, dynamic.value(Tag.symbols));
  const count = await symbolCount(file, header, dynamic);
  const size = header.class === 64 ? 24 : 16;
  if (start === undefined || count === undefined || count * size > sizeLimit) return undefined;
  const view = await file.view(start, count * size);
  const isLittle = header.endian === "little";
  return {
    count,
    symbol(at) {
      const from = at * size;
      const [info, section] = header.class === 64 ? [from + 4, from + 6] : [from + 12, from + 14];
      const kind = view.getUint8(info);
      return {
        name: view.getUint32(from, isLittle),
        binding: kind >> 4,
        type: kind & 15,
        section: view.getUint16(section, isLittle),
        value:
          header.class === 64
            ? view.getBigUint64(from + 8, isLittle)
            : BigInt(view.getUint32(from + 4, isLittle)),
      };
    },
  };
}

/** Nothing says it but the hash tables. */
async function symbolCount(
  file: Window,
  header: ElfHeader,
  dynamic: DynamicTable,
): Promise<number | undefined> {
  const isLittle = header.endian === "little";
  const hash = offsetOf(header, dynamic.value(Tag.hash));
  if (hash !== undefined) return (await file.view(hash + 4, 4)).getUint32(0, isLittle);
  const gnu = offsetOf(header, dynamic.value(Tag.gnuHash));
  if (gnu === undefined) return undefined;
  const head = await file.view(gnu, 16);
  const [buckets = 0, first = 0, bloom = 0] = [0, 4, 8].map((at) => head.getUint32(at, isLittle));
  if (buckets * 4 > sizeLimit || bloom * 8 > sizeLimit) return undefined;
  const start = gnu + 16 + bloom * (header.class / 8);
  const table = await file.view(start, buckets * 4);
  let last = 0;
  for (let at = 0; at < buckets; at++) last = Math.max(last, table.getUint32(at * 4, isLittle));
  if (last < first) return first;
  // The end of the last bucket's chain has its lowest bit set.
  for (let at = last; (at - first) * 4 < sizeLimit; at++) {
    const link = await file.view(start + buckets * 4 + (at - first) * 4, 4);
    if ((link.getUint32(0, isLittle) & 1) === 1) return at + 1;
  }
  return undefined;
}

/** The symbols that relocations name. */
async function relocated(
  file: Window,
  header: ElfHeader,
  dynamic: DynamicTable,
): Promise<ReadonlySet<number> | undefined> {
  const found = new Set<number>();
  const isPltRela = dynamic.value(Tag.pltKind) === Tag.rela;
  for (const [table, size, isRela] of [
    [Tag.rela, Tag.relaSize, true],
    [Tag.rel, Tag.relSize, false],
    [Tag.plt, Tag.pltSize, isPltRela],
  ] as const) {
    const address = dynamic.value(table);
    const length = Number(dynamic.value(size) ?? 0n);
    if (address === undefined || length === 0) continue;
    const start = offsetOf(header, address);
    if (start === undefined || length > sizeLimit) return undefined;
    collect(found, await file.view(start, length), header, isRela);
  }
  return found;
}

function collect(found: Set<number>, view: DataView, header: ElfHeader, isRela: boolean): void {
  const isLittle = header.endian === "little";
  const width = header.class / 8;
  const step = width * (isRela ? 3 : 2);
  for (let at = width; at + width <= view.byteLength; at += step) {
    // MIPS with 64 bits has the symbol first, whatever the byte order.
    const symbol =
      width === 4
        ? view.getUint32(at, isLittle) >>> 8
        : view.getUint32(header.machine === 8 || !isLittle ? at : at + 4, isLittle);
    if (symbol !== 0) found.add(symbol);
  }
}

/** Versions that are not the default are found by nobody who asks for a name alone. */
async function hiddenSymbols(
  file: Window,
  header: ElfHeader,
  dynamic: DynamicTable,
  count: number,
): Promise<(at: number) => boolean> {
  const start = offsetOf(header, dynamic.value(Tag.versions));
  if (start === undefined) return () => false;
  const view = await file.view(start, count * 2);
  return (at) => (view.getUint16(at * 2, header.endian === "little") & 0x8000) !== 0;
}

async function bytesAt(file: Window, offset: number, size: number): Promise<Uint8Array> {
  const view = await file.view(offset, size);
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function offsetOf(header: ElfHeader, address: bigint | undefined): number | undefined {
  return address === undefined ? undefined : fileOffset(header, address);
}
