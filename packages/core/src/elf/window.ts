import type { ByteSource } from "./byte-source.ts";
import { ElfError } from "./elf-error.ts";

/** Reads inside a source and nowhere else, through a few cached pages. */
export interface Window {
  /** Bytes. */
  readonly size: number;
  /** Exactly `length` bytes. @throws {ElfError} `ELF_TRUNCATED` when they are not all inside, `ELF_TOO_LARGE` for more than 1 MiB */
  view(position: number, length: number): Promise<DataView>;
  /** The bytes up to a NUL as UTF-8. @throws {ElfError} `ELF_TOO_LARGE` when there is none in `limit` bytes */
  text(position: number, limit?: number): Promise<string>;
}

const pageSize = 4096;
const pagesKept = 64;
const viewLimit = 1 << 20;
// As many characters of names as any file may have, all together: 65,536 DT_NEEDED may all point at one long string.
const textBudget = 1 << 20;

export function windowOf(source: ByteSource): Window {
  const { size } = source;
  const pages = new Map<number, Uint8Array>();
  let textLeft = textBudget;

  const read = async (position: number, length: number): Promise<Uint8Array> => {
    const bytes = await source.read(position, length);
    if (bytes.byteLength !== length) {
      throw new ElfError("ELF_TRUNCATED", `The file has become shorter than ${position + length} bytes.`);
    }
    return bytes;
  };
  const page = async (index: number): Promise<Uint8Array> => {
    const known = pages.get(index);
    if (known !== undefined) return known;
    const start = index * pageSize;
    const bytes = await read(start, Math.min(pageSize, size - start));
    if (pages.size >= pagesKept) {
      const [oldest] = pages.keys();
      if (oldest !== undefined) pages.delete(oldest);
    }
    pages.set(index, bytes);
    return bytes;
  };
  const view = async (position: number, length: number): Promise<DataView> => {
    if (!Number.isSafeInteger(position) || position < 0 || length < 0 || position + length > size) {
      throw new ElfError(
        "ELF_TRUNCATED",
        `${length} bytes at ${position} are not in a file of ${size} bytes.`,
      );
    }
    if (length > viewLimit) {
      throw new ElfError("ELF_TOO_LARGE", `${length} bytes at ${position} are more than ${viewLimit}.`);
    }
    const first = Math.floor(position / pageSize);
    const isInOnePage = length > 0 && first === Math.floor((position + length - 1) / pageSize);
    if (!isInOnePage) {
      const bytes = length === 0 ? new Uint8Array() : await read(position, length);
      return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    const bytes = await page(first);
    return new DataView(bytes.buffer, bytes.byteOffset + position - first * pageSize, length);
  };
  return {
    size,
    view,
    async text(position, limit = 4096) {
      const parts: Uint8Array[] = [];
      let length = 0;
      for (let from = position; length < limit;) {
        const step = Math.min(pageSize - (from % pageSize), limit - length, size - from);
        const found = await view(from, Math.max(step, 1));
        const bytes = new Uint8Array(found.buffer, found.byteOffset, found.byteLength);
        const end = bytes.indexOf(0);
        parts.push(end === -1 ? bytes : bytes.subarray(0, end));
        length += end === -1 ? bytes.byteLength : end;
        if (end !== -1) {
          textLeft -= length;
          if (textLeft < 0) {
            throw new ElfError("ELF_TOO_LARGE", `The file has more than ${textBudget} bytes of names.`);
          }
          return Buffer.concat(parts).toString();
        }
        from += bytes.byteLength;
      }
      throw new ElfError("ELF_TOO_LARGE", `The text at ${position} has more than ${limit} bytes.`);
    },
  };
}
