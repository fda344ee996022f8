import { pauseFor, type Pace } from "./gate.ts";

/**
 * Lets one through after the other, at even intervals.
 *
 * @param perSecond - `undefined`: as they come
 */
export function pace(perSecond: number | undefined): Pace {
  if (perSecond === undefined) return async () => undefined;
  const waitFor = turnsOf(perSecond);
  return async (signal) => {
    const wait = waitFor(Date.now());
    if (wait > 0) await pauseFor(wait, signal);
  };
}

/** Gives each who comes the milliseconds to wait for their turn. */
export function turnsOf(perSecond: number): (now: number) => number {
  let next = 0;
  return (now) => {
    const turn = Math.max(now, next);
    next = turn + 1000 / perSecond;
    return turn - now;
  };
}
