/** A request under way, and how many wait for it. */
interface Running<T> {
  readonly result: Promise<T>;
  readonly stop: AbortController;
  waiting: number;
}

/** Asks once for all who ask for the same while it is under way. */
export type SharedRequests<T> = (
  key: string,
  signal: AbortSignal | undefined,
  request: (signal: AbortSignal) => Promise<T>,
) => Promise<T>;

/** Who no longer waits leaves the request to the others; when nobody waits any more, it is given up. */
export function sharedRequests<T>(): SharedRequests<T> {
  const underWay = new Map<string, Running<T>>();

  function begin(key: string, request: (signal: AbortSignal) => Promise<T>): Running<T> {
    const stop = new AbortController();
    const begun = { result: request(stop.signal), stop, waiting: 0 };
    underWay.set(key, begun);
    const forget = (): void => void (underWay.get(key) === begun && underWay.delete(key));
    begun.result.then(forget, forget);
    return begun;
  }

  return async (key, signal, request) => {
    signal?.throwIfAborted();
    const running = underWay.get(key) ?? begin(key, request);
    running.waiting += 1;
    try {
      return await raceAbort(running.result, signal);
    } finally {
      running.waiting -= 1;
      if (running.waiting === 0 && underWay.get(key) === running) {
        // Who asks from now on must not get what is being given up.
        underWay.delete(key);
        running.stop.abort(signal?.reason);
      }
    }
  };
}

/** As {@link sharedRequests}; what came is kept, and asked for again only if it failed. */
export function keptRequests<T>(): SharedRequests<T> {
  const kept = new Map<string, { readonly value: T }>();
  const share = sharedRequests<T>();
  return async (key, signal, request) => {
    const known = kept.get(key);
    if (known !== undefined) return known.value;
    return await share(key, signal, async (stop) => {
      const value = await request(stop);
      kept.set(key, { value });
      return value;
    });
  };
}

/** Waits for work that others may wait for too: it is not stopped, but waited for no longer. */
async function raceAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  signal.throwIfAborted();
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (stop !== undefined) signal.removeEventListener("abort", stop);
    // Whoever waits no more must not leave a rejection that nobody hears.
    work.catch(() => undefined);
  }
}
