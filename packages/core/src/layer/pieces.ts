/** So much goes into a decoder at once: each write is a way to another thread and back. Who needs but the start waits for less. */
const FIRST_PIECE = 16 * 1024;
const LARGEST_PIECE = 256 * 1024;

/** The bytes of a stream for decoders that follow each other: what one does not use is there for the next. */
export interface Pieces {
  /** All that is here; `undefined` at the end. It stays as it is until the next but one is asked for. */
  next(): Promise<Uint8Array | undefined>;
  /** As many bytes as said, fewer at the end; the receiver's to keep. */
  take(length: number): Promise<Uint8Array>;
  /** Puts back what was got last and not used. */
  unread(bytes: Uint8Array): void;
  /** Lets the stream go. */
  close(): Promise<void>;
}

/** A source's error comes when all that was before it is read. */
export function piecesOf(chunks: AsyncIterable<Uint8Array>): Pieces {
  const source = gathered(chunks);
  const unread: Uint8Array[] = [];

  async function next(): Promise<Uint8Array | undefined> {
    return unread.pop() ?? (await source.next()).value ?? undefined;
  }

  function putBack(bytes: Uint8Array): void {
    if (bytes.byteLength > 0) unread.push(bytes);
  }

  return {
    next,
    unread: putBack,
    async take(length) {
      const taken = Buffer.allocUnsafe(length);
      let filled = 0;
      while (filled < length) {
        const piece = await next();
        if (piece === undefined) break;
        const part = piece.subarray(0, length - filled);
        taken.set(part, filled);
        filled += part.byteLength;
        putBack(piece.subarray(part.byteLength));
      }
      return taken.subarray(0, filled);
    },
    async close() {
      await source.return();
    },
  };
}

/** Copies chunks together; a piece stays as it is until the next but one is asked for. */
async function* gathered(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  let piece = Buffer.allocUnsafeSlow(FIRST_PIECE);
  let other = piece;
  let filled = 0;
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.byteLength;) {
        const part = chunk.subarray(at, at + piece.byteLength - filled);
        piece.set(part, filled);
        at += part.byteLength;
        filled += part.byteLength;
        if (filled < piece.byteLength) continue;
        yield piece;
        const next = Math.min(2 * piece.byteLength, LARGEST_PIECE);
        const spare = other.byteLength === next ? other : Buffer.allocUnsafeSlow(next);
        other = piece;
        piece = spare;
        filled = 0;
      }
    }
  } catch (error) {
    failure = { error };
  }
  if (filled > 0) yield piece.subarray(0, filled);
  if (failure !== undefined) throw failure.error;
}
