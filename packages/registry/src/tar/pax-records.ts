import type { TarHeader } from "./header.ts";

const MOST_OWNER = 0o777777;
const MOST_TIME = 0x7fffffff;
const MOST_SIZE = 0o77777777777;

/** Records by their keys; an extended attribute may have any bytes. */
export type PaxValues = Readonly<Record<string, string | Uint8Array>>;

/**
 * What a ustar header is too small for, in the order in which it is written; path and link target come before it.
 * `undefined`: ustar is enough.
 *
 * @param name - the path as the tar has it
 */
export function paxOf(header: TarHeader, name: string): PaxValues | undefined {
  const { size, uid, gid, mtime, xattrs, linkTarget = "" } = header;
  const isSmall = size <= MOST_SIZE && uid <= MOST_OWNER && gid <= MOST_OWNER;
  const isPlain = isSmall && mtime >= 0 && mtime <= MOST_TIME && xattrs === undefined;
  // Nearly all: nothing is made for them.
  if (isPlain && !isLong(name) && !isLong(linkTarget)) return undefined;
  const records: Record<string, string | Uint8Array> = {};
  if (size > MOST_SIZE) records["size"] = String(size);
  if (uid > MOST_OWNER) records["uid"] = String(uid);
  if (gid > MOST_OWNER) records["gid"] = String(gid);
  if (mtime < 0 || mtime > MOST_TIME) records["mtime"] = String(mtime);
  for (const key of Object.keys(xattrs ?? {}).sort()) {
    const value = xattrs?.[key];
    if (value !== undefined) records[`SCHILY.xattr.${key}`] = value;
  }
  return isLong(name) || isLong(linkTarget) || Object.keys(records).length > 0 ? records : undefined;
}

/** Or has more than ASCII in it. */
function isLong(text: string): boolean {
  return text.length > 100 || !PRINTABLE.test(text);
}

const PRINTABLE = /^[ -~]*$/;
