import { FormatError } from "../errors.ts";

/** Bytes of a stream, taken in lengths of one's own. */
export interface ByteQueue {
  /** Exactly `length` bytes; `undefined` when the stream has ended at this very place. */
  take(length: number): Promise<Uint8Array | undefined>;
  /** As {@link take}, without a promise, when the bytes are here already. */
  takeNow(length: number): Uint8Array | undefined;
  /** Up to `length` bytes, whatever is here; at least one. */
  some(length: number): Promise<Uint8Array>;
  skip(length: number): Promise<void>;
  /** Lets the stream go. */
  close(): Promise<void>;
}

/** @param limit - bytes of the whole stream that are read at most */
export function byteQueue(chunks: AsyncIterable<Uint8Array>, limit: number): ByteQueue {
  const source = chunks[Symbol.asyncIterator]();
  let held: Uint8Array = new Uint8Array(0);
  let passed = 0;

  async function more(): Promise<boolean> {
    const { done, value } = await source.next();
    if (done === true) return false;
    passed += value.byteLength;
    if (passed > limit) throw new FormatError("TAR_INVALID", `The tar has more than ${limit} bytes.`);
    held = held.byteLength === 0 ? value : Buffer.concat([held, value]);
    return true;
  }

  function takeNow(length: number): Uint8Array | undefined {
    if (held.byteLength < length) return undefined;
    const bytes = held.subarray(0, length);
    held = held.subarray(length);
    return bytes;
  }

  async function some(length: number): Promise<Uint8Array> {
    while (held.byteLength === 0) if (!(await more())) throw truncated();
    const bytes = held.subarray(0, length);
    held = held.subarray(bytes.byteLength);
    return bytes;
  }

  return {
    takeNow,
    some,
    async take(length) {
      while (held.byteLength < length) {
        if (await more()) continue;
        if (held.byteLength === 0) return undefined;
        throw truncated();
      }
      return takeNow(length);
    },
    async skip(length) {
      for (let left = length; left > 0; left -= (await some(left)).byteLength);
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
