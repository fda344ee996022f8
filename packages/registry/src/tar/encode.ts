import { paxOf, type PaxValues } from "./pax-records.ts";
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
 * @param block - 512 bytes that it may write into and give: of many files, fresh memory for each costs more than the rest
 * @throws {FormatError} `TAR_INVALID` when a value cannot be written
 */
export function encodeTarHeader(header: TarHeader, block: Buffer = Buffer.alloc(BLOCK)): Uint8Array {
  const name = header.kind === "directory" ? `${header.path}/` : header.path;
  const pax = paxOf(header, name);
  const { linkTarget = "" } = header;
  if (pax === undefined) return ustar(ustarFields(header, name, linkTarget), block);
  const values = { path: name, ...(linkTarget === "" ? {} : { linkpath: linkTarget }), ...pax };
  const records = Buffer.concat(Object.entries(values).map(([key, value]) => paxRecord(key, value)));
  const stand = ustarFields(header, STAND_IN, linkTarget === "" ? "" : STAND_IN, pax);
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

/** @param pax - what stands in records, and not here */
function ustarFields(header: TarHeader, name: string, linkTarget: string, pax: PaxValues = {}): Ustar {
  return {
    name,
    linkTarget,
    type: TYPES[header.kind],
    mode: header.mode & 0o7777,
    uid: pax["uid"] === undefined ? header.uid : 0,
    gid: pax["gid"] === undefined ? header.gid : 0,
    size: header.kind === "file" ? header.size : 0,
    mtime: pax["mtime"] === undefined ? header.mtime : 0,
    deviceMajor: header.deviceMajor ?? 0,
    deviceMinor: header.deviceMinor ?? 0,
  };
}

/** POSIX.1-2001, ustar interchange format; numbers end with a blank, as most writers have it. */
function ustar(fields: Ustar, block: Buffer = Buffer.alloc(BLOCK)): Buffer {
  block.fill(0);
  block.write(fields.name, 0, "latin1");
  writeOctal(block, fields.mode, 100, 6);
  writeOctal(block, fields.uid, 108, 6);
  writeOctal(block, fields.gid, 116, 6);
  writeSize(block, fields.size);
  writeOctal(block, fields.mtime, 136, 11);
  block.write(fields.type, 156, "latin1");
  block.write(fields.linkTarget, 157, "latin1");
  block.write("ustar\u000000", 257, "latin1");
  writeDevice(block, fields.deviceMajor, 329);
  writeDevice(block, fields.deviceMinor, 337);
  writeOctal(block, sumOf(block, fields), 148, 6);
  return block;
}

/** Digits and a blank; as large as the field allows for what is too large. By hand: a text for each field takes twice as long. */
function writeOctal(block: Buffer, value: number, at: number, digits: number): void {
  let rest = value;
  for (let place = at + digits - 1; place >= at; place -= 1) {
    block[place] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
  if (rest > 0) block.fill(0x37, at, at + digits);
  block[at + digits] = 0x20;
}

/** With a seventh digit, which most writers leave away, where the number needs it: Linux' have 20 bits. */
function writeDevice(block: Buffer, value: number, at: number): void {
  writeOctal(block, value, at, value > 0o777777 ? 7 : 6);
}

/** Over eleven octal digits in base 256, besides the record that says it. */
function writeSize(block: Buffer, size: number): void {
  if (size <= 0o77777777777) {
    writeOctal(block, size, 124, 11);
    return;
  }
  block[124] = 0x80;
  block.writeUIntBE(size, 130, 6);
}

/** Of all bytes, the checksum's own eight being blanks. Most headers are zeros after most fields: those are not looked at. */
function sumOf(block: Uint8Array, { name, linkTarget }: Ustar): number {
  return (
    8 * 0x20 +
    sumBetween(block, 0, name.length) +
    sumBetween(block, 100, 157 + linkTarget.length) +
    sumBetween(block, 257, 265) +
    sumBetween(block, 329, 345)
  );
}

function sumBetween(block: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at < to; at += 1) sum += block[at] ?? 0;
  return sum;
}

/** The length that a record begins with counts its own digits. */
function paxRecord(key: string, value: string | Uint8Array): Uint8Array {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
  const bytes = rest.byteLength;
  let length = bytes + String(bytes).length;
  if (String(length).length > String(bytes).length) length = bytes + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
