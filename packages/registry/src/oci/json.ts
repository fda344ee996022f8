import { FormatError } from "../errors.ts";

/** Levels of arrays and objects that are read; nobody's documents have a tenth of them, and to write JSON costs stack for each. */
const MOST_LEVELS = 1000;

/**
 * Parses a JSON document of at most `limit` bytes and {@link MOST_LEVELS} levels.
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
  if (isDeeper(bytes, MOST_LEVELS)) {
    throw new FormatError(code, `${subject} has more than ${MOST_LEVELS} levels; no more are read.`);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new FormatError(code, `${subject} is not JSON.`, { cause });
  }
}

/** Of UTF-8, in which no byte of a longer character is one of ASCII. */
function isDeeper(json: Uint8Array, most: number): boolean {
  let level = 0;
  let isText = false;
  for (let at = 0; at < json.byteLength; at++) {
    const byte = json[at];
    if (byte === QUOTE) isText = !isText;
    else if (byte === BACKSLASH) at += 1;
    else if (isText) continue;
    else if (byte === BRACKET || byte === BRACE) level += 1;
    else if (byte === BRACKET + 2 || byte === BRACE + 2) level -= 1;
    if (level > most) return true;
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** `[`; `]` is two after it, as `}` is after `{`. */
const BRACKET = 0x5b;
const BRACE = 0x7b;

/** As JSON is written here: no blanks, keys in the order given, UTF-8. */
export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
