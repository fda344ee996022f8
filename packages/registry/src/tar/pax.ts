import { FormatError } from "../errors.ts";
import { badField, type RawHeader } from "./decode.ts";

/** Records that say more than a ustar header can, by key; an empty value takes a record back. */
export type PaxRecords = ReadonlyMap<string, Uint8Array>;

const XATTR = "SCHILY.xattr.";

/** Of sparse files (sparse.ts): the map, and what an old version has in place of it, many times in one header. */
export const SPARSE_MAP = "GNU.sparse.map";
const SPARSE_PARTS = ["GNU.sparse.offset", "GNU.sparse.numbytes"];

/**
 * Reads `length key=value\n` records (POSIX.1-2001, pax, extended header).
 *
 * @throws {FormatError} `TAR_INVALID`
 */
export function decodePax(bytes: Uint8Array): PaxRecords {
  const records = new Map<string, Uint8Array>();
  const parts: string[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    const blank = bytes.indexOf(0x20, at);
    // No record needs more than seven digits: their size is limited.
    const digits = blank === -1 || blank - at > 7 ? "" : latin1(bytes.subarray(at, blank));
    const end = at + (/^[1-9][0-9]*$/.test(digits) ? Number(digits) : Number.NaN);
    const equals = bytes.indexOf(0x3d, blank);
    if (!(end <= bytes.byteLength) || equals <= blank + 1 || equals >= end || bytes[end - 1] !== 0x0a)
      throw badRecord();
    const key = Buffer.from(bytes.subarray(blank + 1, equals)).toString("utf8");
    const value = bytes.slice(equals + 1, end - 1);
    at = end;
    if (!SPARSE_PARTS.includes(key)) records.set(key, value);
    else if (key !== SPARSE_PARTS[parts.length % 2] || value.includes(COMMA)) throw badRecord();
    else parts.push(latin1(value));
  }
  return parts.length === 0 ? records : records.set(SPARSE_MAP, Buffer.from(parts.join(",")));
}

const COMMA = 0x2c;

function badRecord(): FormatError {
  return new FormatError("TAR_INVALID", "The tar has a pax record that is not well formed.");
}

/** A header with what the records say instead. */
export function withPax(raw: RawHeader, records: PaxRecords): RawHeader {
  return {
    ...raw,
    path: textOf(records, "path") ?? raw.path,
    linkTarget: textOf(records, "linkpath") ?? raw.linkTarget,
    size: numberOf(records, "size") ?? raw.size,
    uid: numberOf(records, "uid") ?? raw.uid,
    gid: numberOf(records, "gid") ?? raw.gid,
    mtime: numberOf(records, "mtime") ?? raw.mtime,
  };
}

export function xattrsOf(records: PaxRecords): Readonly<Record<string, Uint8Array>> | undefined {
  const found = [...records].filter(([key, value]) => key.startsWith(XATTR) && value.byteLength > 0);
  if (found.length === 0) return undefined;
  return Object.fromEntries(found.map(([key, value]) => [key.slice(XATTR.length), value]));
}

export function textOf(records: PaxRecords, key: string): string | undefined {
  const value = records.get(key);
  return value === undefined || value.byteLength === 0 ? undefined : Buffer.from(value).toString("utf8");
}

/** Decimal; a fraction is dropped downwards. */
function numberOf(records: PaxRecords, key: string): number | undefined {
  const written = textOf(records, key);
  if (written === undefined) return undefined;
  const pattern = key === "mtime" ? /^-?[0-9]+(?:\.[0-9]*)?$/ : /^[0-9]+$/;
  const value = Math.floor(Number(written));
  if (!pattern.test(written) || !Number.isSafeInteger(value)) throw badField(key, JSON.stringify(written));
  return value;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
