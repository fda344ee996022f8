import { FormatError } from "../errors.ts";
import { byteQueue, truncated, type ByteQueue } from "./byte-queue.ts";
import { BLOCK, badField, decodeHeader, finishHeader, isZeroBlock, text, type RawHeader } from "./decode.ts";
import type { TarMember } from "./header.ts";
import { decodePax, withPax, xattrsOf, type PaxRecords } from "./pax.ts";
import { checkExtents, sparseFile, withHoles, type SparseFile } from "./sparse.ts";

/** What a hostile archive may cost. */
export interface TarLimits {
  /** Members in all. Default 1,000,000. */
  readonly members?: number;
  /** Bytes of one pax or GNU header record. Default 1 MiB. */
  readonly metadata?: number;
  /** Bytes of all such records: what they say of a member may be held as long as its name is. Default 128 MiB. */
  readonly allMetadata?: number;
  /** Bytes of the whole archive. Default 64 GiB. */
  readonly total?: number;
}

/**
 * The members of a tar, in its order: ustar, pax, GNU long names and sparse files of pax. Bytes after the end marker are
 * not looked at; the marker and the padding before it may be missing, as Go's reader has it.
 *
 * Not by tar-stream, which reads differently from the runtimes in ways that matter here: it takes a body from links and
 * devices that give a size, applies global pax records, turns extended attributes into text, and lets numbers pass that
 * are none.
 *
 * @throws {FormatError} `TAR_INVALID` for a damaged or truncated archive, an unknown kind of member, or a limit passed
 */
export async function* readTar(
  chunks: AsyncIterable<Uint8Array>,
  limits: TarLimits = {},
): AsyncGenerator<TarMember, void, void> {
  const { members, metadata: each, allMetadata: left, total } = { ...DEFAULT_LIMITS, ...limits };
  const metadata: MetadataLimits = { each, left };
  const bytes = byteQueue(chunks, total);
  let expanded = 0;
  try {
    for (let count = 0; ; count++) {
      const next = await nextHeader(bytes, metadata);
      if (next === undefined) return;
      if (count === members)
        throw new FormatError("TAR_INVALID", `The tar has more than ${members} members.`);
      // Runtimes skip global records, and so do we.
      if (next === "global records") continue;
      const { raw, records, sparse } = next;
      const header = finishHeader(
        sparse === undefined ? raw : { ...raw, path: sparse.path, size: sparse.size },
        records === undefined ? undefined : xattrsOf(records),
      );
      const stored = header.kind === "file" ? raw.size : 0;
      const rest = { body: stored - (sparse?.read ?? 0), padding: -stored & (BLOCK - 1) };
      if (sparse === undefined) {
        const here = bytes.peek(stored);
        yield { header, body: bodyOf(bytes, rest, stored), ...(here === undefined ? {} : { bytes: here }) };
      } else {
        checkExtents(header.path, sparse, rest.body);
        expanded += header.size;
        if (expanded > total)
          throw new FormatError("TAR_INVALID", `The tar's sparse files have more than ${total} bytes.`);
        yield { header, body: withHoles(sparse, (length) => bodyOf(bytes, rest, length)), isSparse: true };
      }
      const left = bytes.skipNow(rest.body + rest.padding);
      if (left > 0) await bytes.skip(left, rest.padding);
    }
  } finally {
    await bytes.close();
  }
}

/**
 * Whether a tar begins here: its first header can be read, whatever kind of member it is of. An empty tar is none. Reads
 * no further than that.
 */
export async function beginsTar(chunks: AsyncIterable<Uint8Array>): Promise<boolean> {
  const bytes = byteQueue(chunks, DEFAULT_LIMITS.total);
  try {
    const { metadata: each, allMetadata: left } = DEFAULT_LIMITS;
    return (await nextHeader(bytes, { each, left })) !== undefined;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  } finally {
    await bytes.close();
  }
}

const DEFAULT_LIMITS: Required<TarLimits> = {
  members: 1_000_000,
  metadata: 1024 * 1024,
  allMetadata: 128 * 1024 * 1024,
  total: 64 * 1024 ** 3,
};

/** Of header records, in bytes. */
interface MetadataLimits {
  readonly each: number;
  left: number;
}

async function* bodyOf(
  bytes: ByteQueue,
  rest: { body: number },
  length: number,
): AsyncGenerator<Uint8Array, void, void> {
  for (let left = length; left > 0;) {
    const piece = await bytes.some(left);
    left -= piece.byteLength;
    rest.body -= piece.byteLength;
    yield piece;
  }
}

interface Header {
  /** As the records before it say. */
  readonly raw: RawHeader;
  readonly records?: PaxRecords;
  readonly sparse?: SparseFile;
}

/** What stands before a member's own header. */
interface Before {
  pax?: PaxRecords;
  path?: string;
  linkTarget?: string;
}

/** The next member's header with the records before it applied; `undefined` at the end of the archive. */
async function nextHeader(
  bytes: ByteQueue,
  metadata: MetadataLimits,
): Promise<Header | "global records" | undefined> {
  const before: Before = {};
  for (let seen = 0; ; seen++) {
    const block = bytes.takeNow(BLOCK) ?? (await bytes.take(BLOCK));
    if (block === undefined || isZeroBlock(block)) return endOf(bytes, block, seen);
    const raw = decodeHeader(block);
    if (!"xgLK".includes(raw.type) || raw.type === "\0") return applied(raw, before, bytes, metadata);
    // A member needs one of each at most; a stream of nothing else would never give a member.
    if (seen === 16) throw new FormatError("TAR_INVALID", "A member of the tar has more than 16 headers.");
    const record = await metadataOf(bytes, raw, metadata);
    if (raw.type === "L") before.path = text(record);
    else if (raw.type === "K") before.linkTarget = text(record);
    else {
      const records = decodePax(record);
      if (raw.type === "g") return "global records";
      before.pax = records;
    }
  }
}

async function endOf(bytes: ByteQueue, block: Uint8Array | undefined, seen: number): Promise<undefined> {
  if (seen > 0) throw truncated();
  // One zero block, or none, is an end as well when nothing follows.
  const second = block === undefined ? undefined : await bytes.take(BLOCK);
  if (second !== undefined && !isZeroBlock(second)) {
    throw new FormatError("TAR_INVALID", "The tar has a zero block between its members.");
  }
  return undefined;
}

async function metadataOf(bytes: ByteQueue, raw: RawHeader, limits: MetadataLimits): Promise<Uint8Array> {
  if (raw.size < 0 || raw.size > limits.each) throw badField("size of a header record", String(raw.size));
  limits.left -= raw.size;
  if (limits.left < 0)
    throw new FormatError("TAR_INVALID", "The tar's header records have too many bytes in all.");
  const record = await bytes.take(raw.size);
  if (record === undefined && raw.size > 0) throw truncated();
  await bytes.skip(-raw.size & (BLOCK - 1));
  return record ?? new Uint8Array(0);
}

async function applied(
  raw: RawHeader,
  { pax: records, path, linkTarget }: Before,
  bytes: ByteQueue,
  { each }: MetadataLimits,
): Promise<Header> {
  const merged = records === undefined ? raw : withPax(raw, records);
  const full = { ...merged, path: path ?? merged.path, linkTarget: linkTarget ?? merged.linkTarget };
  if (records === undefined) return { raw: full };
  const sparse = await sparseFile(full, records, bytes, each);
  return { raw: full, records, ...(sparse === undefined ? {} : { sparse }) };
}
