import { FormatError } from "../errors.ts";

/**
 * Parses a JSON document of at most `limit` bytes.
 *
 * @param subject - begins the message: `The manifest`
 */
export function parseJson(
  bytes: Uint8Array,
  limit: number,
  code: FormatError["code"],
  subject: string,
): unknown {
  if (bytes.byteLength > limit) {
    throw new FormatError(code, `${subject} has ${bytes.byteLength} bytes; at most ${limit} are read.`);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new FormatError(code, `${subject} is not JSON.`, { cause });
  }
}

/** As JSON is written here: no blanks, keys in the order given, UTF-8. */
export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
