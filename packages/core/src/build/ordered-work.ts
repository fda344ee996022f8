/** Where a piece of work stands among the others: numbers, the weightiest first, compared as versions are. */
export type Place = readonly number[];

/**
 * Pieces of work at the same time that fail as if they were done one after the other: of several faults the one is told whose
 * place is first, however fast the others were.
 */
export interface OrderedWork {
  /**
   * A fault stops what has a later place, and lets what has an earlier one go on, as that might fail too.
   *
   * @throws what the work threw; the earlier fault, for work that was stopped
   */
  run<T>(place: Place, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Waits for all that the promises stand for, and throws the first fault, if there is any. */
  all<T>(parts: readonly Promise<T>[]): Promise<T[]>;
}

interface Fault {
  readonly place: Place;
  readonly error: unknown;
}

/** @param signal - stops everything; its reason is told then */
export function orderedWork(signal?: AbortSignal): OrderedWork {
  const underWay = new Set<{ readonly place: Place; readonly stop: AbortController }>();
  let first: Fault | undefined;

  function note(fault: Fault): void {
    if (first !== undefined && comparePlaces(first.place, fault.place) <= 0) return;
    first = fault;
    for (const { place, stop } of underWay)
      if (comparePlaces(fault.place, place) < 0) stop.abort(fault.error);
  }

  return {
    async run(place, work) {
      signal?.throwIfAborted();
      if (first !== undefined && comparePlaces(first.place, place) < 0) throw first.error;
      const part = { place, stop: new AbortController() };
      const { signal: stopped } = part.stop;
      underWay.add(part);
      try {
        return await work(signal === undefined ? stopped : AbortSignal.any([signal, stopped]));
      } catch (error) {
        signal?.throwIfAborted();
        stopped.throwIfAborted();
        note({ place, error });
        throw error;
      } finally {
        underWay.delete(part);
      }
    },
    async all(parts) {
      const settled = await Promise.allSettled(parts);
      signal?.throwIfAborted();
      if (first !== undefined) throw first.error;
      return settled.map((part) => {
        if (part.status === "rejected") throw part.reason;
        return part.value;
      });
    },
  };
}

function comparePlaces(a: Place, b: Place): number {
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
