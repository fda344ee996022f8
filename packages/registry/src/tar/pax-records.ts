import { FormatError } from "../errors.ts";
import type { TarHeader } from "./header.ts";

const MOST_OWNER = 0o777777;
const MOST_TIME = 0x7fffffff;
const MOST_SIZE = 0o77777777777;

/**
 * What a ustar header is too small for, in the order in which it is written; path and link target come before it.
 * `undefined`: ustar is enough.
 *
 * @param name - the path as the tar has it
 * @throws {FormatError} `TAR_INVALID` for an extended attribute that is not UTF-8
 */
export function paxOf(header: TarHeader, name: string): Record<string, string> | undefined {
  const records: Record<string, string> = {};
  if (header.size > MOST_SIZE) records["size"] = String(header.size);
  if (header.uid > MOST_OWNER) records["uid"] = String(header.uid);
  if (header.gid > MOST_OWNER) records["gid"] = String(header.gid);
  if (header.mtime < 0 || header.mtime > MOST_TIME) records["mtime"] = String(header.mtime);
  for (const key of Object.keys(header.xattrs ?? {}).sort()) {
    const value = header.xattrs?.[key];
    if (value !== undefined) records[`SCHILY.xattr.${key}`] = textOf(header, key, value);
  }
  const long = [name, header.linkTarget ?? ""].some((text) => text.length > 100 || !/^[ -~]*$/.test(text));
  return long || Object.keys(records).length > 0 ? records : undefined;
}

function textOf(header: TarHeader, key: string, value: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
  } catch (cause) {
    throw new FormatError(
      "TAR_INVALID",
      `${header.path} has the extended attribute ${key}, which is not UTF-8.`,
      {
        cause,
      },
    );
  }
}
