/** Gives chunks from one piece of work to another, a few at a time. */
export interface Handover extends AsyncIterable<Uint8Array> {
  /** Waits while the reader is behind; does nothing once it has gone. */
  write(chunk: Uint8Array): Promise<void>;
  end(): void;
  /** What the reader is told at the end of what it has got. */
  fail(error: unknown): void;
  /** Says that nobody reads any more. */
  close(): void;
}

/** Chunks that may wait for the reader. */
const AHEAD = 2;

export function handover(): Handover {
  const waiting: Uint8Array[] = [];
  let state: "open" | "ended" | "closed" | { readonly error: unknown } = "open";
  let wakeReader = (): void => {};
  let wakeWriter = (): void => {};
  // A function, or the compiler takes the state for what it was before an await.
  const now = (): typeof state => state;

  function change(next: typeof state): void {
    if (state === "open") state = next;
    wakeReader();
    wakeWriter();
  }

  return {
    async write(chunk) {
      while (now() === "open" && waiting.length >= AHEAD)
        await new Promise<void>((resolve) => (wakeWriter = resolve));
      if (now() !== "open") return;
      waiting.push(chunk);
      wakeReader();
    },
    end: () => change("ended"),
    fail: (error) => change({ error }),
    close() {
      waiting.length = 0;
      change("closed");
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const chunk = waiting.shift();
        if (chunk !== undefined) {
          wakeWriter();
          yield chunk;
          continue;
        }
        const at = now();
        if (at === "open") await new Promise<void>((resolve) => (wakeReader = resolve));
        else if (typeof at === "object") throw at.error;
        else return;
      }
    },
  };
}
