import { crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import { LayerError } from "./layer-error.ts";
import { piecesOf, type Pieces } from "./pieces.ts";
import { throughDecoder } from "./through-decoder.ts";

/** So much comes out at once: in pieces of half its size, the ways between the threads make the index of Debian's minbase a tenth slower. */
const LARGEST_CHUNK = 512 * 1024;

/** A member of at most so many bytes, in and out, is inflated at once: a way to another thread costs more. */
const SMALL_MEMBER = 64 * 1024;

/**
 * Inflates gzip (RFC 1952), all of its members, as Go's compress/gzip reads it. Zeros may follow the last.
 *
 * Not by Node's gunzip: what that has inflated is lost when the checksum behind it is wrong or rubbish follows, and who
 * reads a tar to its end marker has no need of either.
 *
 * @throws {LayerError} `LAYER_INVALID`, after all that came before the fault
 */
export async function* gunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const pieces = piecesOf(chunks);
  try {
    for (let length = Infinity; await skipHeader(pieces, length === Infinity);) {
      let sum = 0;
      const small: Uint8Array | undefined = length <= SMALL_MEMBER ? await smallMember(pieces) : undefined;
      length = 0;
      for await (const chunk of small === undefined ? largeMember(pieces) : [small]) {
        sum = crc32(chunk, sum);
        length += chunk.byteLength;
        yield chunk;
      }
      const trailer = Buffer.from(await pieces.take(8));
      if (trailer.byteLength < 8) throw damaged();
      if (trailer.readUInt32LE(0) !== sum || trailer.readUInt32LE(4) !== length % 2 ** 32) throw damaged();
    }
  } finally {
    await pieces.close();
  }
}

function largeMember(pieces: Pieces): AsyncIterable<Uint8Array> {
  return throughDecoder(createInflateRaw({ chunkSize: LARGEST_CHUNK }), pieces, damaged);
}

/** `undefined` for a member that is not small, or not whole in the next piece. */
async function smallMember(pieces: Pieces): Promise<Uint8Array | undefined> {
  const piece = await pieces.next();
  if (piece === undefined) return undefined;
  const inflated = inflatedAtOnce(piece.subarray(0, SMALL_MEMBER));
  pieces.unread(piece.subarray(inflated?.used ?? 0));
  return inflated?.bytes;
}

function inflatedAtOnce(
  start: Uint8Array,
): { readonly bytes: Uint8Array; readonly used: number } | undefined {
  try {
    // The types do not know what `info` makes of it.
    const { buffer, engine }: { buffer?: unknown; engine?: { bytesWritten?: unknown } } = inflateRawSync(
      start,
      { info: true, maxOutputLength: SMALL_MEMBER },
    );
    if (!(buffer instanceof Uint8Array) || typeof engine?.bytesWritten !== "number") return undefined;
    return { bytes: buffer, used: engine.bytesWritten };
  } catch {
    return undefined;
  }
}

const HEADER_CRC = 0x02;
const EXTRA = 0x04;
const NAME = 0x08;
const COMMENT = 0x10;
/** Go's limit. */
const LONGEST_TEXT = 512;

/** Gives false at the end. */
async function skipHeader(pieces: Pieces, isFirst: boolean): Promise<boolean> {
  const start = Buffer.from(await pieces.take(10));
  if (!isFirst && start.every((byte) => byte === 0)) return onlyZeros(pieces);
  if (start.byteLength < 10 || start.readUIntBE(0, 3) !== 0x1f8b08) throw damaged();
  let sum = crc32(start);
  const read = async (length: number): Promise<Buffer> => {
    const bytes = Buffer.from(await pieces.take(length));
    if (bytes.byteLength < length) throw damaged();
    sum = crc32(bytes, sum);
    return bytes;
  };
  const flags = start.readUInt8(3);
  if ((flags & EXTRA) !== 0) await read((await read(2)).readUInt16LE(0));
  for (const text of [NAME, COMMENT]) {
    if ((flags & text) === 0) continue;
    for (let length = 1; (await read(1))[0] !== 0; length++) if (length === LONGEST_TEXT) throw damaged();
  }
  const expected = sum & 0xffff;
  if ((flags & HEADER_CRC) !== 0 && (await read(2)).readUInt16LE(0) !== expected) throw damaged();
  return true;
}

/** Reads what follows to its end, where a check may be. */
async function onlyZeros(pieces: Pieces): Promise<false> {
  for (let piece = await pieces.next(); piece !== undefined; piece = await pieces.next())
    if (piece.some((byte) => byte !== 0)) throw damaged();
  return false;
}

function damaged(cause?: Error): LayerError {
  return new LayerError(
    "LAYER_INVALID",
    "The gzip content is damaged or cut off.",
    cause === undefined ? {} : { cause },
  );
}
