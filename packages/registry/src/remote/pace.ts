import { pauseFor, type Pace } from "./gate.ts";

/**
 * Lets one through after the other, at even intervals.
 *
 * @param perSecond - `undefined`: as they come
 */
export function pace(perSecond: number | undefined): Pace {
  if (perSecond === undefined) return async () => undefined;
  const turnOf = turnsOf(perSecond);
  return async (signal) => {
    const turn = turnOf(Date.now());
    for (let wait = turn - Date.now(); wait > 0; wait = turn - Date.now()) {
      await pauseFor(Math.min(wait, LONGEST_MS), signal);
    }
  };
}

// Node's timers know no longer one than 24 days, and take that for none at all.
const LONGEST_MS = 86_400_000;

/** Gives each who comes the time of their turn. */
export function turnsOf(perSecond: number): (now: number) => number {
  let next = 0;
  return (now) => {
    const turn = Math.max(now, next);
    next = turn + 1000 / perSecond;
    return turn;
  };
}
