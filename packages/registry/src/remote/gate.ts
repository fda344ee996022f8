import { setTimeout as sleep } from "node:timers/promises";

/** What all requests to one host share: how many at once, and the pause that the host asked for. */
export interface Gate {
  /** Waits for a place and for the end of a pause. @returns gives the place back; more than once does nothing */
  enter(signal: AbortSignal | undefined): Promise<() => void>;
  /** Nobody enters before this many milliseconds are over. */
  pause(ms: number): void;
}

/** Waits for one's turn among all who ask a host. */
export type Pace = (signal: AbortSignal | undefined) => Promise<void>;

/**
 * @param places - requests at once
 * @param pace - of the host, for all its gates
 */
export function gate(places: number, pace: Pace): Gate {
  let free = places;
  let openAt = 0;
  const waiting: (() => void)[] = [];
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
  const place = async (signal: AbortSignal | undefined): Promise<void> => {
    signal?.throwIfAborted();
    if (free > 0) {
      free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const abort = (): void => {
        waiting.splice(waiting.indexOf(enter), 1);
        reject(signal?.reason);
      };
      waiting.push(enter);
      signal?.addEventListener("abort", abort, { once: true });
    });
  };
  return {
    async enter(signal) {
      await place(signal);
      let left = false;
      const leaveOnce = (): void => {
        if (!left) leave();
        left = true;
      };
      try {
        for (let wait = openAt - Date.now(); wait > 0; wait = openAt - Date.now()) {
          await pauseFor(wait, signal);
        }
        await pace(signal);
      } catch (error) {
        leaveOnce();
        throw error;
      }
      return leaveOnce;
    },
    pause(ms) {
      openAt = Math.max(openAt, Date.now() + ms);
    },
  };
}

/** Waits; rejects with the signal's reason. */
export async function pauseFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
