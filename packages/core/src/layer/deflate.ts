import { createHash } from "node:crypto";
import { constants, deflateRaw } from "node:zlib";
import { Deflate, Z_SYNC_FLUSH } from "pako";

/** Compresses a block that knows nothing of others, and ends on a byte's border: raw deflate with a sync flush. */
export type DeflateBlock = (block: Uint8Array, level: number) => Promise<Uint8Array>;

/**
 * The deflate of byte format 1: official Node's zlib, or pako, which gives the same bytes anywhere and takes three to
 * four times as long. Some systems' Node, Bun and Deno bring another zlib: what a vector comes out as decides.
 *
 * This file knows pako, and its surprise: a flush leaves `result` unset, so pieces are gathered as they come.
 */
export const formatOneDeflate: DeflateBlock = async (block, level) => {
  native ??= isFormatOne(nativeDeflate);
  return await ((await native) ? nativeDeflate : portableDeflate)(block, level);
};

/** Asked once a process, beside the work on the first blocks. */
let native: Promise<boolean> | undefined;

const FLUSHED = { finishFlush: constants.Z_SYNC_FLUSH, chunkSize: 512 * 1024 };

/** On libuv's pool: several at once. */
export const nativeDeflate: DeflateBlock = (block, level) =>
  new Promise((resolve, reject) => {
    deflateRaw(block, { ...FLUSHED, level }, (error, deflated) => {
      if (error === null) resolve(deflated);
      else reject(error);
    });
  });

export const portableDeflate: DeflateBlock = (block, level) => Promise.resolve(deflatePortably(block, level));

function deflatePortably(block: Uint8Array, level: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  const deflate = new Deflate({ raw: true, level, chunkSize: FLUSHED.chunkSize });
  deflate.onData = (piece: Uint8Array) => pieces.push(piece.slice());
  deflate.push(block, Z_SYNC_FLUSH);
  return Buffer.concat(pieces);
}

/** The vector at levels 1, 4, 6 and 9, one after the other, as official Node makes it. */
export const VECTOR_SHA256 = "3f1e61e664c1f975137c5dd00620cc0a7bd37ac0cb845f17ed7962f177d668c7";

/** Whether an encoder gives format 1's bytes for a vector that has text, noise and repeats. */
export async function isFormatOne(deflate: DeflateBlock): Promise<boolean> {
  const vector = formatVector();
  const hash = createHash("sha256");
  for (const block of await Promise.all([1, 4, 6, 9].map((level) => deflate(vector, level))))
    hash.update(block);
  return hash.digest("hex") === VECTOR_SHA256;
}

/** 48 KiB, more than deflate's window: words drawn by xorshift32, every eighth four bytes of noise. */
export function formatVector(): Uint8Array {
  const words = ["const ", "return ", "\u007fELF", "\n  ", "0123456789", "aaaaaaaaaaaaaaaa", "};"];
  const bytes = Buffer.alloc(48 * 1024);
  let state = 0x2545f491;
  for (let at = 0; at < bytes.byteLength - 16;) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const word = words[(state >>> 9) % 8];
    at = word === undefined ? bytes.writeInt32LE(state, at) : at + bytes.write(word, at, "latin1");
  }
  return bytes;
}
