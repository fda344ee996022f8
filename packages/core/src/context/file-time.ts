const SECOND = 1_000_000_000;

/** Whole seconds of a file's time, rounded down, before 1970 too. */
export function secondsOf(nanoseconds: bigint): number {
  // The difference is rounded by far less than a second.
  return Math.round((Number(nanoseconds) - nanosecondsOf(nanoseconds)) / SECOND);
}

/** What {@link secondsOf} leaves. */
export function nanosecondsOf(nanoseconds: bigint): number {
  const rest = Number(nanoseconds % BigInt(SECOND));
  return rest < 0 ? rest + SECOND : rest;
}

/** The nanoseconds of which these are the two parts, as text. */
export function timeText(seconds: number, rest: number): string {
  if (seconds > 0) return seconds + String(rest).padStart(9, "0");
  return String(BigInt(seconds) * BigInt(SECOND) + BigInt(rest));
}
