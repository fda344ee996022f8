import { FormatError } from "../errors.ts";
import type { TarHeader, TarKind } from "./header.ts";

/**
 * The 512 bytes before a member, read as Go's archive/tar reads them, because that is what every container runtime
 * unpacks with: where readers differ, the runtime's reading is the true one.
 *
 *     0 name 100 | mode 8 | uid 8 | gid 8 | size 12 | mtime 12 | checksum 8 | type 1 | link name 100
 *     257 magic 8 | user 32 | group 32 | 329 major 8 | 337 minor 8 | 345 prefix 155
 */
export interface RawHeader {
  readonly type: string;
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly linkTarget: string;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

export const BLOCK = 512;

export function isZeroBlock(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

/** @throws {FormatError} `TAR_INVALID` */
export function decodeHeader(block: Uint8Array): RawHeader {
  checkSum(block);
  const magic = latin1(block, 257, 8);
  const posix = magic === "ustar\u000000";
  const prefix = posix ? text(block.subarray(345, 500)) : "";
  const name = text(block.subarray(0, 100));
  const known = posix || magic === "ustar  \0";
  return {
    type: String.fromCharCode(block[156] ?? 0),
    path: prefix === "" ? name : `${prefix}/${name}`,
    mode: number(block, 100, 8, "mode"),
    uid: number(block, 108, 8, "uid"),
    gid: number(block, 116, 8, "gid"),
    size: number(block, 124, 12, "size"),
    mtime: number(block, 136, 12, "mtime"),
    linkTarget: text(block.subarray(157, 257)),
    deviceMajor: known ? number(block, 329, 8, "device") : 0,
    deviceMinor: known ? number(block, 337, 8, "device") : 0,
  };
}

function checkSum(block: Uint8Array): void {
  const written = number(block, 148, 8, "checksum");
  let unsigned = 8 * 32;
  let signed = 8 * 32;
  for (let at = 0; at < BLOCK; at++) {
    if (at === 148) at = 156;
    const byte = block[at] ?? 0;
    unsigned += byte;
    // Some old tars summed signed characters.
    signed += byte > 127 ? byte - 256 : byte;
  }
  if (written !== unsigned && written !== signed) {
    throw new FormatError("TAR_INVALID", `A tar header's checksum is ${written}, not ${unsigned}.`, {
      hint: "It is not a tar, or it is damaged or compressed in an unknown way.",
    });
  }
}

/** Octal digits that end with a NUL or the field, as nearly all do; `undefined` for another form. */
function plainOctal(block: Uint8Array, from: number, length: number): number | undefined {
  let value = 0;
  for (let at = from; at < from + length; at++) {
    const byte = block[at] ?? 0;
    const isEnd = byte === 0 || (byte === 0x20 && at === from + length - 1);
    if (byte >= 0x30 && byte <= 0x37) value = value * 8 + byte - 0x30;
    else return isEnd && at > from ? value : undefined;
  }
  return value;
}

/** Octal digits between blanks, or GNU's base-256 when the top bit is set. */
function number(block: Uint8Array, from: number, length: number, field: string): number {
  const plain = plainOctal(block, from, length);
  if (plain !== undefined) return plain;
  const bytes = block.subarray(from, from + length);
  const first = bytes[0] ?? 0;
  if ((first & 0x80) !== 0) return base256(bytes, field);
  const digits = latin1(block, from, length)
    .replace(/^[ \0]+/, "")
    .replace(/[ \0]+$/, "")
    .split("\0", 1)[0];
  if (digits === undefined || digits === "") return 0;
  if (!/^[0-7]+$/.test(digits)) throw badField(field, JSON.stringify(digits));
  return Number.parseInt(digits, 8);
}

function base256(bytes: Uint8Array, field: string): number {
  const negative = ((bytes[0] ?? 0) & 0x40) !== 0;
  let value = 0n;
  for (const [at, byte] of bytes.entries()) value = (value << 8n) | BigInt(at === 0 ? byte & 0x7f : byte);
  if (negative) value -= 1n << BigInt(8 * bytes.byteLength - 1);
  const result = Number(value);
  if (!Number.isSafeInteger(result)) throw badField(field, String(value));
  return result;
}

export function badField(field: string, value: string): FormatError {
  return new FormatError("TAR_INVALID", `A tar header's ${field} is ${value.slice(0, 100)}.`);
}

/** Up to the first NUL, as UTF-8. */
export function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(bytes.buffer, bytes.byteOffset, end === -1 ? bytes.byteLength : end).toString("utf8");
}

function latin1(bytes: Uint8Array, from: number, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, length).toString("latin1");
}

/** `undefined` for a type that has no meaning in a layer. */
export function kindOf(type: string, path: string): TarKind | undefined {
  switch (type) {
    case "\0":
      // The oldest tars know a directory by its name alone.
      return path.endsWith("/") ? "directory" : "file";
    case "0":
    case "7":
      return "file";
    case "1":
      return "hardlink";
    case "2":
      return "symlink";
    case "3":
      return "character-device";
    case "4":
      return "block-device";
    case "5":
      return "directory";
    case "6":
      return "fifo";
    default:
      return undefined;
  }
}

/** Checks ranges and drops what the kind does not have. */
export function finishHeader(
  raw: RawHeader,
  xattrs: Readonly<Record<string, Uint8Array>> | undefined,
): TarHeader {
  const kind = kindOf(raw.type, raw.path);
  if (raw.type === "S") {
    throw new FormatError(
      "TAR_INVALID",
      `${raw.path} in the tar is a sparse file in GNU's old form, which no container runtime unpacks.`,
      { hint: "Make the archive with --format=posix, or without --sparse." },
    );
  }
  if (kind === undefined) {
    throw new FormatError(
      "TAR_INVALID",
      `${raw.path} in the tar is of the unknown type ${JSON.stringify(raw.type)}.`,
    );
  }
  for (const field of ["uid", "gid"] as const) {
    if (raw[field] < 0 || raw[field] > 0xff_ff_ff_ff) throw badField(field, String(raw[field]));
  }
  if (raw.size < 0) throw badField("size", String(raw.size));
  const path = raw.path.replace(/\/+$/, "");
  if (path === "" && raw.path === "") throw badField("name", "empty");
  if (path.includes("\0") || raw.linkTarget.includes("\0")) throw badField("name", "one with a NUL");
  return {
    path: path === "" ? "/" : path,
    kind,
    mode: raw.mode & 0o7777,
    uid: raw.uid,
    gid: raw.gid,
    mtime: raw.mtime,
    size: kind === "file" ? raw.size : 0,
    ...(kind === "symlink" || kind === "hardlink" ? { linkTarget: raw.linkTarget } : {}),
    ...(kind === "character-device" || kind === "block-device"
      ? { deviceMajor: raw.deviceMajor, deviceMinor: raw.deviceMinor }
      : {}),
    ...(xattrs === undefined ? {} : { xattrs }),
  };
}
