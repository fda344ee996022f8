import { FormatError } from "../errors.ts";
import { byteQueue, truncated, type ByteQueue } from "./byte-queue.ts";
import { BLOCK, badField, decodeHeader, finishHeader, isZeroBlock, text, type RawHeader } from "./decode.ts";
import type { TarHeader, TarMember } from "./header.ts";
import { decodePax, withPax, xattrsOf, type PaxRecords } from "./pax.ts";

/** What a hostile archive may cost. */
export interface TarLimits {
  /** Members in all. Default 1,000,000. */
  readonly members?: number;
  /** Bytes of one pax or GNU header record. Default 1 MiB. */
  readonly metadata?: number;
  /** Bytes of the whole archive. Default 64 GiB. */
  readonly total?: number;
}

/**
 * The members of a tar, in its order: ustar, pax and GNU long names. Bytes after the end marker are not looked at; the marker and the
 * padding before it may be missing, as Go's reader has it.
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
  const most = limits.members ?? 1_000_000;
  const metadata = limits.metadata ?? 1024 * 1024;
  const bytes = byteQueue(chunks, limits.total ?? 64 * 1024 ** 3);
  try {
    for (let count = 0; ; count++) {
      const header = await nextHeader(bytes, metadata);
      if (header === undefined) return;
      if (count === most) throw new FormatError("TAR_INVALID", `The tar has more than ${most} members.`);
      const rest = { body: header.size, padding: -header.size & (BLOCK - 1) };
      const here = bytes.peek(header.size);
      yield { header, body: bodyOf(bytes, rest), ...(here === undefined ? {} : { bytes: here }) };
      const left = bytes.skipNow(rest.body + rest.padding);
      if (left > 0) await bytes.skip(left, rest.padding);
    }
  } finally {
    await bytes.close();
  }
}

async function* bodyOf(bytes: ByteQueue, rest: { body: number }): AsyncGenerator<Uint8Array, void, void> {
  while (rest.body > 0) {
    const piece = await bytes.some(rest.body);
    rest.body -= piece.byteLength;
    yield piece;
  }
}

/** The next member's header with the records before it applied; `undefined` at the end of the archive. */
async function nextHeader(bytes: ByteQueue, metadata: number): Promise<TarHeader | undefined> {
  const before: { pax?: PaxRecords; path?: string; linkTarget?: string; global?: true; seen: number } = {
    seen: 0,
  };
  for (;;) {
    const block = bytes.takeNow(BLOCK) ?? (await bytes.take(BLOCK));
    if (block === undefined || isZeroBlock(block)) return endOf(bytes, block, before.seen);
    const raw = decodeHeader(block);
    if (!"xgLK".includes(raw.type) || raw.type === "\0") return applied(raw, before);
    // A member needs one of each at most; a stream of nothing else would never give a member.
    if (++before.seen > 16)
      throw new FormatError("TAR_INVALID", "A member of the tar has more than 16 headers.");
    const record = await metadataOf(bytes, raw, metadata);
    // Runtimes skip global records, and so do we.
    if (raw.type === "x") before.pax = decodePax(record);
    else if (raw.type === "L") before.path = text(record);
    else if (raw.type === "K") before.linkTarget = text(record);
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

async function metadataOf(bytes: ByteQueue, raw: RawHeader, limit: number): Promise<Uint8Array> {
  if (raw.size < 0 || raw.size > limit) throw badField("size of a header record", String(raw.size));
  const record = await bytes.take(raw.size);
  if (record === undefined && raw.size > 0) throw truncated();
  await bytes.skip(-raw.size & (BLOCK - 1));
  return record ?? new Uint8Array(0);
}

function applied(
  raw: RawHeader,
  before: { pax?: PaxRecords; path?: string; linkTarget?: string },
): TarHeader {
  const merged = before.pax === undefined ? raw : withPax(raw, before.pax);
  return finishHeader(
    { ...merged, path: before.path ?? merged.path, linkTarget: before.linkTarget ?? merged.linkTarget },
    before.pax === undefined ? undefined : xattrsOf(before.pax),
  );
}
