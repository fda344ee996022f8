import type { Transform } from "node:stream";
import type { Pieces } from "./pieces.ts";

/** Chunks that wait for the reader at most: a piece may come out a thousandfold. */
const MOST_WAITING = 4;

/** A decoder of `node:zlib`, which counts the bytes that it has used. */
export type Decoder = Transform & { readonly bytesWritten: number };

/**
 * What a decoder makes of the pieces until its content ends; what follows stays unread. It works on the next piece while
 * the reader has what came of the one before.
 *
 * Errors come after all that was decoded before them: first the decoder's own, told by `damaged`, then the source's.
 */
export async function* throughDecoder(
  decoder: Decoder,
  pieces: Pieces,
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
  let given: Uint8Array = new Uint8Array(0);
  let used = 0;

  function give(piece: Uint8Array): void {
    used = decoder.bytesWritten;
    given = piece;
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

  let failure: { readonly error: unknown } | undefined;
  try {
    while (now() === "open") {
      const piece = await pieces.next().catch((error: unknown) => void (failure = { error }));
      yield* done();
      const ready = output.splice(0);
      if (piece === undefined) {
        yield* ready;
        break;
      }
      if (now() === "open") give(piece);
      else pieces.unread(piece);
      yield* ready;
    }
    yield* done();
    if (now() === "open" && failure === undefined) {
      isBusy = true;
      decoder.end();
      yield* done();
    }
    yield* output.splice(0);
    const error = now();
    if (error instanceof Error) throw damaged(error);
    if (failure !== undefined) throw failure.error;
    pieces.unread(given.subarray(decoder.bytesWritten - used));
  } finally {
    decoder.destroy();
  }
}
