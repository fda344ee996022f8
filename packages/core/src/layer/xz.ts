import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { Crc64 } from "./crc64.ts";
import { LayerError } from "./layer-error.ts";
import { LzmaDecoder } from "./lzma.ts";
import { piecesOf, type Pieces } from "./pieces.ts";
import { xzFilter, type Filter } from "./xz-filter.ts";

/*
 * The .xz file format, 1.2.1. A file is streams, with zeros between in fours; a stream:
 *
 *     header: fd 37 7a 58 5a 00 | 00, check's type | crc32
 *     blocks: size/4 | flags | [compressed size] | [size] | filters | zeros | crc32 || LZMA2 | zeros to 4 | check
 *     index:  00 | count | (unpadded size, size) of each block | zeros to 4 | crc32
 *     footer: crc32 | index size/4 - 1 | 00, check's type | 59 5a
 */

/** How far content may refer back. What says that it needs more is read as long as it does not. */
const WINDOW = 128 * 1024 * 1024;

/**
 * Inflates xz as the program does: all checks, all filters, streams that follow one another. Memory grows with what comes
 * out, up to 130 MiB.
 *
 * @throws {LayerError} `LAYER_INVALID`, after all that came before the fault; `COMPRESSION_UNSUPPORTED` for content that
 * refers back further than 128 MiB
 */
export async function* unxz(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const pieces = piecesOf(chunks);
  try {
    do yield* stream(pieces);
    while (await hasAnother(pieces));
  } finally {
    await pieces.close();
  }
}

/** Passes over the zeros between streams. */
async function hasAnother(pieces: Pieces): Promise<boolean> {
  for (;;) {
    const four = await pieces.take(4);
    if (four.byteLength === 0) return false;
    if (four.every((byte) => byte === 0) && four.byteLength === 4) continue;
    pieces.unread(four);
    return true;
  }
}

/** What the index says of all blocks. */
interface Totals {
  blocks: number;
  /** Without the zeros behind the blocks. */
  compressed: number;
  size: number;
}

async function* stream(pieces: Pieces): AsyncGenerator<Uint8Array, void, void> {
  const header = await exactly(pieces, 12);
  if (header.readUIntBE(0, 6) !== 0xfd377a585a00) throw damaged();
  const flags = header.subarray(6, 8);
  const type = flags.readUInt8(1);
  if (flags[0] !== 0 || type > 15 || header.readUInt32LE(8) !== crc32(flags)) throw damaged();
  const totals: Totals = { blocks: 0, compressed: 0, size: 0 };
  for (;;) {
    const first = (await exactly(pieces, 1)).readUInt8(0);
    if (first === 0) break;
    yield* block(pieces, first, type, totals);
  }
  const indexSize = await checkIndex(pieces, totals);
  const footer = await exactly(pieces, 12);
  if (
    footer.readUInt32LE(0) !== crc32(footer.subarray(4, 10)) ||
    (footer.readUInt32LE(4) + 1) * 4 !== indexSize ||
    !footer.subarray(8, 10).equals(flags) ||
    footer.readUInt16BE(10) !== 0x595a
  )
    throw damaged();
}

async function* block(
  pieces: Pieces,
  first: number,
  type: number,
  totals: Totals,
): AsyncGenerator<Uint8Array, void, void> {
  const headerSize = (first + 1) * 4;
  const { filters, dictionary, ...said } = blockHeader(
    Buffer.concat([Uint8Array.of(first), await exactly(pieces, headerSize - 1)]),
  );
  const check = checkOf(type);
  const body = { compressed: 0 };
  let size = 0;
  for await (const bytes of unfiltered(lzma2(pieces, dictionary, body), filters)) {
    size += bytes.byteLength;
    check.update(bytes);
    yield bytes;
  }
  const padding = await exactly(pieces, -body.compressed & 3);
  const expected = await exactly(pieces, check.size);
  if (!isZero(padding) || (said.compressed ?? body.compressed) !== body.compressed) throw damaged();
  if ((said.size ?? size) !== size || check.digest?.().equals(expected) === false) throw damaged();
  totals.blocks += 1;
  totals.compressed += headerSize + body.compressed + check.size;
  totals.size += size;
}

interface BlockHeader {
  readonly compressed?: number;
  readonly size?: number;
  /** The last that was done first: as they are undone. */
  readonly filters: readonly Filter[];
  /** Bytes that the content refers back to at most. */
  readonly dictionary: number;
}

const COMPRESSED_SIZE = 0x40;
const SIZE = 0x80;
const LZMA2 = 0x21;

function blockHeader(bytes: Buffer): BlockHeader {
  const end = bytes.byteLength - 4;
  if (bytes.readUInt32LE(end) !== crc32(bytes.subarray(0, end))) throw damaged();
  const flags = bytes.readUInt8(1);
  const rest = { bytes: bytes.subarray(2, end) };
  const compressed = (flags & COMPRESSED_SIZE) === 0 ? {} : { compressed: takeNumber(rest) };
  const size = (flags & SIZE) === 0 ? {} : { size: takeNumber(rest) };
  const filters: Filter[] = [];
  let dictionary: number | undefined;
  for (let left = (flags & 3) + 1; left > 0; left--) {
    const id = takeNumber(rest);
    const length = takeNumber(rest);
    const properties = rest.bytes.subarray(0, length);
    rest.bytes = rest.bytes.subarray(length);
    if (properties.byteLength !== length) throw damaged();
    if (left === 1) dictionary = id === LZMA2 ? dictionarySize(properties) : undefined;
    else {
      const filter = xzFilter(id, properties);
      if (filter === undefined) throw damaged();
      filters.unshift(filter);
    }
  }
  if (dictionary === undefined || (flags & 0x3c) !== 0 || !isZero(rest.bytes)) throw damaged();
  return { ...compressed, ...size, filters, dictionary };
}

/** Bytes in the notation of two bits and a power of two. */
function dictionarySize(properties: Uint8Array): number | undefined {
  const [bits = 41] = properties;
  if (properties.byteLength !== 1 || bits > 40) return undefined;
  return bits === 40 ? 2 ** 32 - 1 : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11);
}

/** Seven bits a byte, the lowest first; 63 bits in all. */
function takeNumber(rest: { bytes: Buffer }): number {
  let value = 0;
  for (let at = 0; at < 9; at++) {
    const byte = rest.bytes[at] ?? 0xff;
    value += (byte & 0x7f) * 2 ** (7 * at);
    if (byte >= 0x80) continue;
    rest.bytes = rest.bytes.subarray(at + 1);
    return value;
  }
  throw damaged();
}

/** Chunks of up to 64 KiB that say how long they are, and what of the state before them they do without. */
async function* lzma2(
  pieces: Pieces,
  dictionary: number,
  body: { compressed: number },
): AsyncGenerator<Uint8Array, void, void> {
  const decoder = new LzmaDecoder(Math.min(dictionary, WINDOW));
  let isBegun = false;
  let hasProperties = false;
  const read = async (length: number): Promise<Buffer> => {
    body.compressed += length;
    return exactly(pieces, length);
  };
  for (;;) {
    const control = (await read(1)).readUInt8(0);
    if (control === 0) return;
    if (control === 1 || control >= 0xe0) {
      decoder.resetWindow();
      isBegun = true;
      hasProperties = false;
    }
    if (!isBegun || (control > 2 && control < 0x80)) throw damaged();
    const low = (await read(2)).readUInt16BE(0) + 1;
    if (control < 0x80) {
      const stored = await pieces.take(low);
      body.compressed += stored.byteLength;
      yield* decoder.store(stored);
      if (stored.byteLength < low) throw damaged();
      continue;
    }
    const size = ((control & 0x1f) << 16) + low;
    const length = (await read(2)).readUInt16BE(0) + 1;
    if (control >= 0xc0) hasProperties = decoder.setProperties((await read(1)).readUInt8(0));
    if (!hasProperties) throw damaged();
    if (control >= 0xa0) decoder.resetState();
    const compressed = await pieces.take(length);
    body.compressed += compressed.byteLength;
    const isSound = yield* decoder.decode(compressed, size);
    if (!isSound) throw decoder.wentTooFar && dictionary > WINDOW ? tooFar(dictionary) : damaged();
  }
}

async function* unfiltered(
  chunks: AsyncIterable<Uint8Array>,
  filters: readonly Filter[],
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of chunks) yield filters.reduce((bytes, filter) => filter.undo(bytes), chunk);
  let rest: Uint8Array = new Uint8Array(0);
  for (const filter of filters) rest = Buffer.concat([filter.undo(rest), filter.rest()]);
  yield rest;
}

interface Check {
  /** Bytes of it. */
  readonly size: number;
  update(bytes: Uint8Array): void;
  /** Absent for what is not known: the program passes over it, too. */
  digest?(): Buffer;
}

/** Sizes are the same for three types in a row. */
const CHECK_SIZES = [4, 8, 16, 32, 64];

function checkOf(type: number): Check {
  const size = type === 0 ? 0 : (CHECK_SIZES[Math.floor((type - 1) / 3)] ?? 0);
  switch (type) {
    case 1: {
      let sum = 0;
      return {
        size,
        update: (bytes) => void (sum = crc32(bytes, sum)),
        digest() {
          const digest = Buffer.alloc(size);
          digest.writeUInt32LE(sum);
          return digest;
        },
      };
    }
    case 4: {
      const crc64 = new Crc64();
      return { size, update: (bytes) => crc64.update(bytes), digest: () => crc64.digest() };
    }
    case 10: {
      const hash = createHash("sha256");
      return { size, update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
    }
    default:
      return { size, update: () => {} };
  }
}

/** Its first byte has been read. Gives how long it is. */
async function checkIndex(pieces: Pieces, totals: Totals): Promise<number> {
  const start = Uint8Array.of(0);
  let sum = crc32(start);
  let size = start.byteLength;
  async function read(length: number): Promise<Buffer> {
    const bytes = await exactly(pieces, length);
    sum = crc32(bytes, sum);
    size += length;
    return bytes;
  }
  async function number(): Promise<number> {
    const bytes: number[] = [];
    do bytes.push((await read(1)).readUInt8(0));
    while ((bytes.at(-1) ?? 0) >= 0x80 && bytes.length < 9);
    return takeNumber({ bytes: Buffer.from(bytes) });
  }
  if ((await number()) !== totals.blocks) throw damaged();
  const said: Totals = { blocks: 0, compressed: 0, size: 0 };
  for (; said.blocks < totals.blocks; said.blocks++) {
    said.compressed += await number();
    said.size += await number();
  }
  if (said.compressed !== totals.compressed || said.size !== totals.size) throw damaged();
  if (!isZero(await read(-size & 3))) throw damaged();
  const expected = sum;
  if ((await read(4)).readUInt32LE(0) !== expected) throw damaged();
  return size;
}

async function exactly(pieces: Pieces, length: number): Promise<Buffer> {
  const bytes = Buffer.from(await pieces.take(length));
  if (bytes.byteLength < length) throw damaged();
  return bytes;
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function damaged(): LayerError {
  return new LayerError(
    "LAYER_INVALID",
    "The xz content is damaged, cut off, or of a kind that is not known.",
  );
}

function tooFar(dictionary: number): LayerError {
  return new LayerError(
    "COMPRESSION_UNSUPPORTED",
    `The xz content has a dictionary of ${dictionary} bytes, and refers back further than the ${WINDOW} that are kept.`,
    { hint: "Compress it with --lzma2=dict=128MiB or less; xz -9 takes 64 MiB." },
  );
}
