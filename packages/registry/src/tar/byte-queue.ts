import { FormatError } from "../errors.ts";

/** Bytes of a stream, taken in lengths of one's own. */
export interface ByteQueue {
  /** Exactly `length` bytes; `undefined` when the stream has ended at this very place. */
  take(length: number): Promise<Uint8Array | undefined>;
  /** As {@link take}, without a promise, when the bytes are here already. */
  takeNow(length: number): Uint8Array | undefined;
  /** A look at what {@link takeNow} would give. */
  peek(length: number): Uint8Array | undefined;
  /** Up to `length` bytes, whatever is here; at least one. */
  some(length: number): Promise<Uint8Array>;
  /** Skips up to `length` bytes of those that are here, without a promise; how many are left to be skipped. */
  skipNow(length: number): number;
  /** @param spare - how many of the last bytes need not be there, where the stream ends */
  skip(length: number, spare?: number): Promise<void>;
  /** Lets the stream go. */
  close(): Promise<void>;
}

/** @param limit - bytes of the whole stream that are read at most */
export function byteQueue(chunks: AsyncIterable<Uint8Array>, limit: number): ByteQueue {
  const source = chunks[Symbol.asyncIterator]();
  let held: Uint8Array = new Uint8Array(0);
  /** How much of it is gone. */
  let at = 0;
  let passed = 0;

  /** When nothing is left of what is here. */
  async function more(): Promise<boolean> {
    const { done, value } = await source.next();
    if (done === true) return false;
    passed += value.byteLength;
    if (passed > limit) throw new FormatError("TAR_INVALID", `The tar has more than ${limit} bytes.`);
    held = value;
    at = 0;
    return true;
  }

  function peek(length: number): Uint8Array | undefined {
    return held.byteLength - at < length ? undefined : held.subarray(at, at + length);
  }

  function takeNow(length: number): Uint8Array | undefined {
    const bytes = peek(length);
    if (bytes !== undefined) at += length;
    return bytes;
  }

  function skipNow(length: number): number {
    const here = Math.min(length, held.byteLength - at);
    at += here;
    return length - here;
  }

  async function some(length: number): Promise<Uint8Array> {
    while (at === held.byteLength) if (!(await more())) throw truncated();
    const bytes = held.subarray(at, at + length);
    at += bytes.byteLength;
    return bytes;
  }

  return {
    peek,
    takeNow,
    some,
    skipNow,
    async take(length) {
      const parts: Uint8Array[] = [];
      for (let left = length; ;) {
        const rest = takeNow(left);
        if (rest !== undefined) return parts.length === 0 ? rest : Buffer.concat([...parts, rest]);
        if (at < held.byteLength) parts.push(held.subarray(at));
        left -= held.byteLength - at;
        at = held.byteLength;
        if (await more()) continue;
        if (parts.length === 0) return undefined;
        throw truncated();
      }
    },
    async skip(length, spare = 0) {
      for (let left = skipNow(length); left > 0; left = skipNow(left)) {
        if (await more()) continue;
        if (left > spare) throw truncated();
        return;
      }
    },
    async close() {
      await source.return?.();
    },
  };
}

export function truncated(): FormatError {
  return new FormatError("TAR_INVALID", "The tar ends in the middle of a member.", {
    hint: "Fetch or make it again: it was cut off.",
  });
}
