import type { Transform } from "node:stream";

/** So much goes into a decoder at once: each write is a way to another thread and back. Who needs but the start waits for less. */
const FIRST_PIECE = 16 * 1024;
const LARGEST_PIECE = 256 * 1024;

/** Chunks that wait for the reader at most: a piece may come out a thousandfold. */
const MOST_WAITING = 4;

/**
 * What a decoder of `node:zlib` makes of the chunks. It works on the next piece while the reader has what came of the one
 * before, and reads all that it is given, also behind the end of the compressed content, where a pipe would wait for ever.
 *
 * Errors come after all that was decoded before them: first the decoder's own, told by `damaged`, then the source's.
 */
export async function* throughDecoder(
  decoder: Transform,
  chunks: AsyncIterable<Uint8Array>,
  damaged: (cause: Error) => Error,
): AsyncGenerator<Uint8Array, void, void> {
  const output: Uint8Array[] = [];
  let state: "open" | "ended" | Error = "open";
  let isBusy = false;
  let wake: () => void = () => {};
  decoder.on("data", (chunk: Uint8Array) => {
    output.push(chunk);
    if (output.length < MOST_WAITING) return;
    decoder.pause();
    wake();
  });
  decoder.on("end", () => {
    state = "ended";
    wake();
  });
  decoder.on("error", (error) => {
    state = error;
    wake();
  });
  // A function, or the compiler takes the state for what it was before an await.
  const now = (): typeof state => state;
  const isSettled = (): boolean => state !== "open" || (!isBusy && !decoder.isPaused());

  function give(piece: Uint8Array): void {
    isBusy = true;
    decoder.write(piece, () => {
      isBusy = false;
      wake();
    });
  }

  /** Passes on what comes, until the decoder has done all that it was given. */
  async function* done(): AsyncGenerator<Uint8Array, void, void> {
    while (!isSettled()) {
      if (!decoder.isPaused()) await new Promise<void>((resolve) => (wake = resolve));
      if (!decoder.isPaused()) continue;
      yield* output.splice(0);
      decoder.resume();
    }
  }

  const source = gathered(chunks);
  try {
    for await (const piece of source.pieces) {
      yield* done();
      const ready = output.splice(0);
      if (now() === "open") give(piece);
      yield* ready;
      const error = now();
      if (error instanceof Error) break;
    }
    yield* done();
    if (now() === "open" && source.failure === undefined) {
      isBusy = true;
      decoder.end();
      yield* done();
    }
    yield* output.splice(0);
    const error = now();
    if (error instanceof Error) throw damaged(error);
    if (source.failure !== undefined) throw source.failure.error;
  } finally {
    decoder.destroy();
  }
}

interface Gathered {
  readonly pieces: AsyncIterable<Uint8Array>;
  /** Why there are no more pieces. */
  readonly failure: { readonly error: unknown } | undefined;
}

/** Copies chunks together; a piece stays as it is until the next but one is asked for. */
function gathered(chunks: AsyncIterable<Uint8Array>): Gathered {
  let failure: Gathered["failure"];

  async function* pieces(): AsyncGenerator<Uint8Array, void, void> {
    let piece = Buffer.allocUnsafeSlow(FIRST_PIECE);
    let other = piece;
    let filled = 0;
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
  }

  return {
    pieces: pieces(),
    get failure() {
      return failure;
    },
  };
}
