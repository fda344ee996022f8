import { unlessStopped } from "./unless-stopped.ts";

/** Work under way, and who waits for it. */
interface Running<T> {
  readonly result: Promise<T>;
  readonly stop: AbortController;
  waiting: number;
}

/** Runs a piece of work for all who ask for it at the same time. */
export type SharedWork<T> = (
  key: string,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
) => Promise<T>;

/**
 * Who asks while the work is under way waits for it; it is given up when nobody waits any more, and has ended when the last of
 * them is told. When it fails, only who began it is told: the others, whose means may be better, do it themselves.
 */
export function sharedWork<T>(): SharedWork<T> {
  const running = new Map<string, Running<T>>();

  function begin(key: string, work: (signal: AbortSignal) => Promise<T>): Running<T> {
    const stop = new AbortController();
    const result = work(stop.signal).finally(() => running.delete(key));
    const begun = { result, stop, waiting: 0 };
    running.set(key, begun);
    return begun;
  }

  async function wait(one: Running<T>, signal: AbortSignal | undefined): Promise<T> {
    one.waiting++;
    try {
      return await unlessStopped(signal, one.result);
    } finally {
      one.waiting--;
      if (one.waiting === 0) {
        one.stop.abort(signal?.reason);
        // Nobody else sees to it that it writes to no place that is taken away meanwhile.
        await Promise.allSettled([one.result]);
      }
    }
  }

  return async (key, signal, work) => {
    signal?.throwIfAborted();
    const known = running.get(key);
    if (known === undefined) return await wait(begin(key, work), signal);
    try {
      return await wait(known, signal);
    } catch {
      signal?.throwIfAborted();
      return await work(signal ?? new AbortController().signal);
    }
  };
}
