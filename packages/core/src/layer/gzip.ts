import { crc32 } from "node:zlib";
import { blockPool, type BlockPool } from "./blocks.ts";
import { formatOneDeflate, type DeflateBlock } from "./deflate.ts";

/**
 * Byte format 1 of a compressed layer (docs/byte-format.md): one gzip member whose deflate blocks of {@link BLOCK_SIZE}
 * input bytes know nothing of each other and end with a sync flush. So several are deflated at once, on libuv's pool, and
 * the bytes do not depend on how many.
 *
 *     1f 8b 08 00 | time 00000000 | extra 00 | system ff | block … | 03 00 | crc32 | length mod 2^32
 */
export const BLOCK_SIZE: number = 2 * 1024 * 1024;

/** Where sizes level off: 6 saves 3 % more for 1.6 times the work. */
export const GZIP_LEVEL: number = 4;

/** libuv's pool has four threads; more would only hold memory. */
export const AT_ONCE: number = 4;

export interface GzipOptions {
  /** 1 to 9. Default: {@link GZIP_LEVEL}. */
  readonly level?: number;
  /** Told of each block, in order, that is not needed any more, and how many bytes it has come to. */
  readonly release?: (block: Uint8Array, encoded: number) => Promise<void>;
  readonly deflate?: DeflateBlock;
  /** Memory for blocks that are stored, of {@link STORED_SIZE}. Default: each is the receiver's to keep. */
  readonly memory?: BlockPool;
}

/** @param blocks - all of {@link BLOCK_SIZE} bytes but the last */
export async function* gzipBlocks(
  blocks: AsyncIterable<Uint8Array>,
  {
    level = GZIP_LEVEL,
    release,
    deflate = formatOneDeflate,
    memory = blockPool(STORED_SIZE),
  }: GzipOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  yield Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
  const underWay: EncodedBlock[] = [];
  async function* given(most: number): AsyncGenerator<Uint8Array, void, void> {
    for (let [first] = underWay; first !== undefined; [first] = underWay) {
      if (underWay.length <= most && first.encoded === undefined) return;
      const encoded = await first.done;
      underWay.shift();
      await release?.(first.block, encoded.byteLength);
      yield encoded;
    }
  }
  let sum = 0;
  let length = 0;
  for await (const block of blocks) {
    sum = crc32(block, sum);
    length += block.byteLength;
    underWay.push(isIncompressible(block) ? stored(block, memory) : deflated(block, deflate(block, level)));
    yield* given(AT_ONCE - 1);
  }
  yield* given(0);
  const end = Buffer.alloc(10);
  end.writeUInt16LE(0x0003, 0);
  end.writeUInt32LE(sum, 2);
  end.writeUInt32LE(length % 2 ** 32, 6);
  yield end;
}

interface EncodedBlock {
  readonly block: Uint8Array;
  readonly done: Promise<Uint8Array>;
  /** What it has come to, once that is there. */
  encoded?: Uint8Array;
}

function stored(block: Uint8Array, memory: BlockPool): EncodedBlock {
  const encoded = storedBlock(block, memory);
  return { block, done: Promise.resolve(encoded), encoded };
}

function deflated(block: Uint8Array, done: Promise<Uint8Array>): EncodedBlock {
  const underWay: EncodedBlock = { block, done };
  // Awaited in its turn; until then a failure must not count as unhandled.
  done.then(
    (encoded) => (underWay.encoded = encoded),
    () => {},
  );
  return underWay;
}

const WINDOWS = 4;
const WINDOW = 4096;

/**
 * Whether four samples of the block have bytes as evenly spread as random ones: deflating it would cost fifteen times
 * the work and gain nothing. By whole numbers only, so that every machine decides alike: for `n` bytes the sum of the
 * squared counts is n²/256 when even, and 9/8 of that is as far as compressed media get.
 */
function isIncompressible(block: Uint8Array): boolean {
  if (block.byteLength < WINDOWS * WINDOW) return false;
  const counts = new Uint32Array(256);
  const step = Math.floor((block.byteLength - WINDOW) / (WINDOWS - 1));
  for (let window = 0; window < WINDOWS; window++) {
    for (const byte of block.subarray(window * step, window * step + WINDOW))
      counts[byte] = (counts[byte] ?? 0) + 1;
  }
  const n = WINDOWS * WINDOW;
  const squares = counts.reduce((sum, count) => sum + count * count, 0);
  return squares * 256 * 8 <= 9 * n * n;
}

const MOST_STORED = 0xffff;

/** Bytes that a full block has at most when it is stored. */
export const STORED_SIZE: number = BLOCK_SIZE + 5 * Math.ceil(BLOCK_SIZE / MOST_STORED);

/** RFC 1951, 3.2.4: pieces of at most 65,535 bytes, each after its length and that length's complement. */
function storedBlock(block: Uint8Array, memory: BlockPool): Uint8Array {
  const stored = memory.take();
  let to = 0;
  for (let from = 0; from < block.byteLength; from += MOST_STORED) {
    const piece = block.subarray(from, from + MOST_STORED);
    stored[to] = 0;
    stored.writeUInt16LE(piece.byteLength, to + 1);
    stored.writeUInt16LE(~piece.byteLength & 0xffff, to + 3);
    stored.set(piece, to + 5);
    to += 5 + piece.byteLength;
  }
  return stored.subarray(0, to);
}
