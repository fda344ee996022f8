/** Runs at most so many at once; the rest wait in the order they came. */
export interface Slots {
  run<T>(work: () => Promise<T>): Promise<T>;
}

export function slots(limit: number): Slots {
  let free = limit;
  const waiting: (() => void)[] = [];
  return {
    async run(work) {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next === undefined) free += 1;
        else next();
      }
    },
  };
}

/**
 * Does the work for each item, at most `limit` at once. After the first error no other is begun; it is thrown once those
 * under way have ended, so that nothing goes on behind the caller's back.
 */
export async function forEachOf<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const faults: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      if (faults.length > 0) return;
      try {
        await work(item);
      } catch (error) {
        faults.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  if (faults.length > 0) throw faults[0];
}
