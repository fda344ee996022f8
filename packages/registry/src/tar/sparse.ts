import { FormatError } from "../errors.ts";
import { truncated, type ByteQueue } from "./byte-queue.ts";
import { BLOCK, kindOf, type RawHeader } from "./decode.ts";
import { SPARSE_MAP, textOf, type PaxRecords } from "./pax.ts";

/*
 * Files with holes, as GNU tar writes them into pax archives: the tar has only the parts that are not zeros, and a map of
 * where they belong. Version 0.0 and 0.1 have the map in records, 1.0 at the start of the body. Go's archive/tar reads all
 * three, and so does every container runtime; the older form, a member of type `S`, none of them unpacks.
 */

/** A part of a sparse file that has bytes; between the parts are zeros. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

/** What the records of a sparse file say of it. */
export interface SparseFile {
  readonly path: string;
  /** With its holes. */
  readonly size: number;
  /** In order; they do not overlap. */
  readonly extents: readonly Extent[];
  /** Bytes of the body that its map has taken. */
  readonly read: number;
}

const PREFIX = "GNU.sparse.";

/**
 * `undefined` for a file that is not sparse, or of an unknown version, which is read as it stands.
 *
 * @param bytes - at the start of the body
 * @param limit - bytes of a map that are read at most
 * @throws {FormatError} `TAR_INVALID`
 */
export async function sparseFile(
  raw: RawHeader,
  records: PaxRecords,
  bytes: ByteQueue,
  limit: number,
): Promise<SparseFile | undefined> {
  const version = versionOf(records);
  if (version === undefined) return undefined;
  if (kindOf(raw.type, raw.path) !== "file") throw badMap();
  const path = textOf(records, `${PREFIX}name`) ?? raw.path;
  const written = textOf(records, `${PREFIX}size`) ?? textOf(records, `${PREFIX}realsize`);
  const size = written === undefined ? raw.size : integer(written);
  const { numbers, read } =
    version === "in records"
      ? { numbers: mapOf(records), read: 0 }
      : await mapInBody(bytes, Math.min(limit, raw.size));
  const extents = numbers.flatMap((offset, at) =>
    at % 2 === 0 ? [{ offset, length: numbers[at + 1] ?? 0 }] : [],
  );
  let end = 0;
  for (const { offset, length } of extents) {
    if (offset < end) throw badMap();
    end = offset + length;
  }
  if (end > size) throw badMap();
  return { path, size, extents, read };
}

function versionOf(records: PaxRecords): "in records" | "in body" | undefined {
  const major = textOf(records, `${PREFIX}major`);
  const minor = textOf(records, `${PREFIX}minor`);
  if (major === undefined && minor === undefined)
    return textOf(records, SPARSE_MAP) === undefined ? undefined : "in records";
  if (major === "0" && (minor === "0" || minor === "1")) return "in records";
  return major === "1" && minor === "0" ? "in body" : undefined;
}

function mapOf(records: PaxRecords): readonly number[] {
  const numbers = textOf(records, SPARSE_MAP)?.split(",").map(integer) ?? [];
  if (numbers.length !== 2 * integer(textOf(records, `${PREFIX}numblocks`) ?? "")) throw badMap();
  return numbers;
}

/** How many parts there are, then where each begins and how long it is; a line each, in whole blocks. */
async function mapInBody(
  bytes: ByteQueue,
  limit: number,
): Promise<{ numbers: readonly number[]; read: number }> {
  let text = "";
  let lines = 0;
  async function readLines(count: number): Promise<void> {
    while (lines < count) {
      if (text.length + BLOCK > limit) throw badMap();
      const block = await bytes.take(BLOCK);
      if (block === undefined) throw truncated();
      text += Buffer.from(block).toString("latin1");
      for (const byte of block) if (byte === 0x0a) lines += 1;
    }
  }
  await readLines(1);
  const count = integer(text.slice(0, text.indexOf("\n")));
  await readLines(1 + 2 * count);
  return {
    numbers: text
      .split("\n", 1 + 2 * count)
      .slice(1)
      .map(integer),
    read: text.length,
  };
}

function integer(text: string): number {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw badMap();
  return value;
}

/**
 * @param stored - bytes that the body has behind the map
 * @throws {FormatError} `TAR_INVALID` when they are not those of the parts
 */
export function checkExtents(path: string, { extents }: SparseFile, stored: number): void {
  const sum = extents.reduce((total, { length }) => total + length, 0);
  if (sum === stored) return;
  throw new FormatError("TAR_INVALID", `${path} in the tar has ${stored} bytes; its map says ${sum}.`);
}

function badMap(): FormatError {
  return new FormatError("TAR_INVALID", "The tar has a sparse file with a map that cannot be true.");
}

/** All bytes of a sparse file. */
export async function* withHoles(
  { extents, size }: SparseFile,
  body: (length: number) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  let at = 0;
  for (const { offset, length } of extents) {
    yield* zeros(offset - at);
    yield* body(length);
    at = offset + length;
  }
  yield* zeros(size - at);
}

const HOLE = new Uint8Array(256 * 1024);

function* zeros(length: number): Generator<Uint8Array, void, void> {
  for (let left = length; left > 0; left -= HOLE.byteLength) yield HOLE.subarray(0, left);
}
