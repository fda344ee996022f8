import { paxOf } from "./pax-records.ts";
import type { TarHeader, TarKind } from "./header.ts";

const BLOCK = 512;

/** What follows a body of `size` bytes, up to a whole number of blocks. */
export function tarPadding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** Two blocks of zeros end a tar. */
export const tarEndSize: number = 2 * BLOCK;

/**
 * What stands before a body in a tar: one ustar header, with a pax header in front where ustar is too small. The same
 * bytes as {@link writeTar} gives, for those who write bodies themselves.
 *
 * @throws {FormatError} `TAR_INVALID` when a value cannot be written
 */
export function encodeTarHeader(header: TarHeader): Uint8Array {
  const name = header.kind === "directory" ? `${header.path}/` : header.path;
  const pax = paxOf(header, name);
  const fields = ustarFields(header, pax);
  const { linkTarget = "" } = header;
  if (pax === undefined) return ustar({ ...fields, name, linkTarget });
  const records = Buffer.from(
    [["path", name], ...(linkTarget === "" ? [] : [["linkpath", linkTarget]]), ...Object.entries(pax)]
      .map(([key = "", value = ""]) => paxRecord(key, value))
      .join(""),
  );
  const stand = { ...fields, name: STAND_IN, linkTarget: linkTarget === "" ? "" : STAND_IN };
  return Buffer.concat([
    ustar({ ...stand, type: PAX, size: records.byteLength }),
    records,
    Buffer.alloc(tarPadding(records.byteLength)),
    ustar(stand),
  ]);
}

/** In both headers of an entry whose names stand in records. */
const STAND_IN = "PaxHeader";
const PAX = "x";

const TYPES: Readonly<Record<TarKind, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  "character-device": "3",
  "block-device": "4",
  directory: "5",
  fifo: "6",
};

interface Ustar {
  readonly name: string;
  readonly linkTarget: string;
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

function ustarFields(
  header: TarHeader,
  pax: Readonly<Record<string, string>> | undefined,
): Omit<Ustar, "name" | "linkTarget"> {
  return {
    type: TYPES[header.kind],
    mode: header.mode & 0o7777,
    uid: pax?.["uid"] === undefined ? header.uid : 0,
    gid: pax?.["gid"] === undefined ? header.gid : 0,
    size: header.kind === "file" ? header.size : 0,
    mtime: pax?.["mtime"] === undefined ? header.mtime : 0,
    deviceMajor: header.deviceMajor ?? 0,
    deviceMinor: header.deviceMinor ?? 0,
  };
}

/** POSIX.1-2001, ustar interchange format; numbers end with a blank, as most writers have it. */
function ustar(fields: Ustar): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(fields.name, 0, "latin1");
  block.write(octal(fields.mode, 6), 100, "latin1");
  block.write(octal(fields.uid, 6), 108, "latin1");
  block.write(octal(fields.gid, 6), 116, "latin1");
  writeSize(block, fields.size);
  block.write(octal(fields.mtime, 11), 136, "latin1");
  block.write(fields.type, 156, "latin1");
  block.write(fields.linkTarget, 157, "latin1");
  block.write("ustar\u000000", 257, "latin1");
  block.write(octal(fields.deviceMajor, 6), 329, "latin1");
  block.write(octal(fields.deviceMinor, 6), 337, "latin1");
  block.write(octal(sumOf(block, fields), 6), 148, "latin1");
  return block;
}

function octal(value: number, digits: number): string {
  const text = value.toString(8);
  return `${text.length > digits ? "7".repeat(digits) : text.padStart(digits, "0")} `;
}

/** Over eleven octal digits in base 256, besides the record that says it. */
function writeSize(block: Buffer, size: number): void {
  if (size <= 0o77777777777) {
    block.write(octal(size, 11), 124, "latin1");
    return;
  }
  block[124] = 0x80;
  block.writeUIntBE(size, 130, 6);
}

/** Of all bytes, the checksum's own eight being blanks. Most headers are zeros after most fields: those are not looked at. */
function sumOf(block: Uint8Array, { name, linkTarget }: Ustar): number {
  let sum = 8 * 0x20;
  for (const [from, to] of [
    [0, name.length],
    [100, 157 + linkTarget.length],
    [257, 265],
    [329, 345],
  ] as const) {
    for (let at = from; at < to; at += 1) sum += block[at] ?? 0;
  }
  return sum;
}

/** The length that a record begins with counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + String(bytes).length;
  if (String(length).length > String(bytes).length) length = bytes + String(length).length;
  return `${length}${rest}`;
}
