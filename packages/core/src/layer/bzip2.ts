import { LayerError } from "./layer-error.ts";

/*
 * bzip2 has no specification but its program. A stream: `BZh`, a digit for the block size in 100 kB, blocks, an end mark
 * with the CRC of all; further streams may follow. A block: a mark, its CRC, where the original stands among its sorted
 * rotations, which bytes occur, 2 to 6 Huffman tables and which of them each group of 50 symbols uses, then the symbols:
 * run lengths of the front (bijective base 2) and move-to-front ranks. What comes out is run-length encoded: four equal
 * bytes are followed by how many more there are.
 *
 * It is ours because what streams on npm keeps each byte of a block as a member of an array, and a block of runs has 46 MB.
 */

const STREAM_MARK = 0x425a68;
const BLOCK_MARK = 0x314159265359;
const END_MARK = 0x177245385090;
const GROUP = 50;
const LONGEST_CODE = 20;
/** What is handed on at once. */
const PIECE = 256 * 1024;

/**
 * Inflates bzip2, all of its streams; a block at a time, so that memory stays below 10 MB.
 *
 * @throws {LayerError} `LAYER_INVALID`
 */
export async function* bunzip2(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const source = chunks[Symbol.asyncIterator]();
  const bits = new BitReader();
  /** Reads on until so many bytes are there, or no more come. */
  async function fill(bytes: number): Promise<void> {
    const more: Uint8Array[] = [];
    for (let have = bits.left; have < bytes;) {
      const { done, value } = await source.next();
      if (done === true) break;
      more.push(value);
      have += value.byteLength;
    }
    if (more.length > 0) bits.append(more);
  }
  let memory = new Uint32Array(0);
  try {
    await fill(4);
    do {
      if (bits.read(24) !== STREAM_MARK) throw damaged();
      const level = bits.read(8) - 0x30;
      if (level < 1 || level > 9) throw damaged();
      const size = level * 100_000;
      // A file may be of many streams that have next to nothing in them.
      if (memory.length < size) memory = new Uint32Array(size);
      const sorted = memory.subarray(0, size);
      let total = 0;
      for (;;) {
        // A block that does not shrink at all, with its tables.
        await fill((sorted.length * LONGEST_CODE) / 8 + 64 * 1024);
        const mark = bits.read(24) * 0x1000000 + bits.read(24);
        const expected = bits.read(16) * 0x10000 + bits.read(16);
        if (mark === END_MARK) {
          if (expected !== total) throw damaged();
          break;
        }
        if (mark !== BLOCK_MARK) throw damaged();
        let check = 0xffffffff;
        for (const piece of restored(sorted, readBlock(bits, sorted))) {
          check = crc(check, piece);
          yield piece;
        }
        if (~check >>> 0 !== expected) throw damaged();
        total = (((total << 1) | (total >>> 31)) ^ expected) >>> 0;
      }
      bits.align();
      await fill(4);
    } while (bits.left > 0);
  } finally {
    await source.return?.();
  }
}

/** Bits from the front, the highest of a byte first. */
class BitReader {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #held = 0;
  #count = 0;

  /** Bytes that no read has touched. */
  get left(): number {
    return this.#bytes.byteLength - this.#at;
  }

  append(more: readonly Uint8Array[]): void {
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), ...more]);
    this.#at = 0;
  }

  /** @param count - 24 at most */
  read(count: number): number {
    while (this.#count < count) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw damaged();
      this.#held = ((this.#held << 8) | byte) & 0x7fffffff;
      this.#count += 8;
    }
    this.#count -= count;
    return (this.#held >>> this.#count) & ((1 << count) - 1);
  }

  align(): void {
    this.#count -= this.#count % 8;
    this.#at -= this.#count / 8;
    this.#count = 0;
  }
}

interface Block {
  /** Bytes of the block before its runs are written out. */
  readonly length: number;
  /** Where the original stands among the rotations. */
  readonly origin: number;
}

/** Fills `sorted` with the last column of the sorted rotations, one byte an element. */
function readBlock(bits: BitReader, sorted: Uint32Array): Block {
  // "Randomised", which no bzip2 of this century writes.
  if (bits.read(1) === 1) throw damaged();
  const origin = bits.read(24);
  const front = readAlphabet(bits);
  const end = front.length + 1;
  const { tables, selectors } = readTables(bits, end + 1);
  let length = 0;
  let run = 0;
  let weight = 1;
  const put = (byte: number, times: number): void => {
    if (length + times > sorted.length) throw damaged();
    sorted.fill(byte, length, length + times);
    length += times;
  };
  for (let position = 0; ; position++) {
    const table = tables[selectors[Math.floor(position / GROUP)] ?? -1];
    if (table === undefined) throw damaged();
    const symbol = readSymbol(bits, table);
    if (symbol <= 1) {
      run += weight << symbol;
      weight *= 2;
      if (run > sorted.length) throw damaged();
      continue;
    }
    put(front[0] ?? 0, run);
    run = 0;
    weight = 1;
    if (symbol === end) break;
    const [byte = 0] = front.splice(symbol - 1, 1);
    front.unshift(byte);
    put(byte, 1);
  }
  if (origin >= length) throw damaged();
  return { length, origin };
}

/** The bytes that occur, in their order. */
function readAlphabet(bits: BitReader): number[] {
  const rows = bits.read(16);
  const alphabet: number[] = [];
  for (let row = 0; row < 16; row++) {
    if (((rows >> (15 - row)) & 1) === 0) continue;
    const columns = bits.read(16);
    for (let column = 0; column < 16; column++)
      if (((columns >> (15 - column)) & 1) === 1) alphabet.push(row * 16 + column);
  }
  if (alphabet.length === 0) throw damaged();
  return alphabet;
}

/** Codes of one length follow each other; so it is enough to know where each length begins. */
interface HuffmanTable {
  /** By length: one more than the greatest code of it, or 0. */
  readonly limits: Int32Array;
  /** By length: what leads from a code to its place in `symbols`. */
  readonly offsets: Int32Array;
  readonly symbols: readonly number[];
}

function readTables(
  bits: BitReader,
  symbols: number,
): { readonly tables: readonly HuffmanTable[]; readonly selectors: Uint8Array } {
  const count = bits.read(3);
  const selectorCount = bits.read(15);
  if (count < 2 || count > 6 || selectorCount === 0) throw damaged();
  const order = Array.from({ length: count }, (_, at) => at);
  const selectors = new Uint8Array(selectorCount);
  for (let at = 0; at < selectorCount; at++) {
    let rank = 0;
    while (bits.read(1) === 1) if (++rank >= count) throw damaged();
    const [table = 0] = order.splice(rank, 1);
    order.unshift(table);
    selectors[at] = table;
  }
  return { tables: order.map(() => readTable(bits, symbols)), selectors };
}

function readTable(bits: BitReader, symbols: number): HuffmanTable {
  const lengths: number[] = [];
  let length = bits.read(5);
  for (let symbol = 0; symbol < symbols; symbol++) {
    while (bits.read(1) === 1) {
      length += bits.read(1) === 0 ? 1 : -1;
      if (length < 1 || length > LONGEST_CODE) throw damaged();
    }
    if (length < 1 || length > LONGEST_CODE) throw damaged();
    lengths.push(length);
  }
  const limits = new Int32Array(LONGEST_CODE + 1);
  const offsets = new Int32Array(LONGEST_CODE + 1);
  const sorted: number[] = [];
  let code = 0;
  for (let size = 1; size <= LONGEST_CODE; size++) {
    offsets[size] = sorted.length - code;
    for (const [symbol, own] of lengths.entries()) if (own === size) sorted.push(symbol);
    code = sorted.length - (offsets[size] ?? 0);
    limits[size] = code;
    code *= 2;
  }
  return { limits, offsets, symbols: sorted };
}

function readSymbol(bits: BitReader, { limits, offsets, symbols }: HuffmanTable): number {
  let code = 0;
  for (let size = 1; size <= LONGEST_CODE; size++) {
    code = (code << 1) | bits.read(1);
    if (code >= (limits[size] ?? 0)) continue;
    const symbol = symbols[code + (offsets[size] ?? 0)];
    if (symbol !== undefined) return symbol;
  }
  throw damaged();
}

/** The original of the sorted rotations, its runs written out. */
function* restored(sorted: Uint32Array, { length, origin }: Block): Generator<Uint8Array, void, void> {
  const starts = new Uint32Array(256);
  for (let at = 0; at < length; at++) {
    const byte = (sorted[at] ?? 0) & 0xff;
    starts[byte] = (starts[byte] ?? 0) + 1;
  }
  for (let byte = 0, sum = 0; byte < 256; byte++) {
    const count = starts[byte] ?? 0;
    starts[byte] = sum;
    sum += count;
  }
  // The byte stays below; above it stands which rotation follows.
  for (let at = 0; at < length; at++) {
    const byte = (sorted[at] ?? 0) & 0xff;
    const place = starts[byte] ?? 0;
    starts[byte] = place + 1;
    sorted[place] = (sorted[place] ?? 0) | (at << 8);
  }
  let piece = Buffer.allocUnsafe(PIECE);
  let filled = 0;
  let next = (sorted[origin] ?? 0) >>> 8;
  let last = -1;
  let equal = 0;
  for (let done = 0; done < length; done++) {
    const element = sorted[next] ?? 0;
    const byte = element & 0xff;
    next = element >>> 8;
    if (filled + 256 > PIECE) {
      yield piece.subarray(0, filled);
      piece = Buffer.allocUnsafe(PIECE);
      filled = 0;
    }
    if (equal === 4) {
      piece.fill(last, filled, filled + byte);
      filled += byte;
      equal = 0;
      last = -1;
      continue;
    }
    equal = byte === last ? equal + 1 : 1;
    last = byte;
    piece[filled++] = byte;
  }
  yield piece.subarray(0, filled);
}

let table: Uint32Array | undefined;

/** The CRC-32 of 0x04c11db7 with the highest bit first, not inverted. */
function crc(value: number, bytes: Uint8Array): number {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte << 24;
    for (let bit = 0; bit < 8; bit++)
      remainder = remainder < 0 ? (remainder << 1) ^ 0x04c11db7 : remainder << 1;
    return remainder;
  });
  let sum = value;
  for (const byte of bytes) sum = ((sum << 8) ^ (table[((sum >>> 24) ^ byte) & 0xff] ?? 0)) >>> 0;
  return sum;
}

function damaged(): LayerError {
  return new LayerError("LAYER_INVALID", "The bzip2 content is damaged or cut off.");
}
