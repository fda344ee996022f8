import { WordError } from "./error.ts";

// Linux's, by number; where a number has two names the second is the old one.
const NUMBERS: ReadonlyMap<string, number> = new Map(
  [
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN",
    "TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS",
  ]
    .join(" ")
    .split(" ")
    .map((name, index): [string, number] => [name, index + 1])
    .concat([
      ["IOT", 6],
      ["CLD", 17],
      ["POLL", 29],
    ]),
);
const REALTIME_FIRST = 34;
const REALTIME_LAST = 64;

/**
 * The number of a signal: `SIGTERM`, `term`, `9`, `SIGRTMIN+3`, `RTMAX-1`.
 *
 * @throws {DockerfileError} `DOCKERFILE_INVALID`, for a name that Linux does not have, or 0
 */
export function parseSignal(text: string): number {
  const number = signalNumber(text);
  if (number === undefined) throw new WordError(`invalid signal: ${text}`);
  return number;
}

function signalNumber(text: string): number | undefined {
  if (/^[+-]?\d{1,9}$/.test(text)) {
    // Whether the kernel has it is not asked.
    return Number(text) === 0 ? undefined : Number(text);
  }
  const name = text.toUpperCase().replace(/^SIG/, "");
  // RTMIN and RTMAX each reach to the middle of the range.
  const realtime = /^RT(?:MIN(?:\+([1-9]|1[0-5]))?|MAX(?:-([1-9]|1[0-4]))?)$/.exec(name);
  if (realtime === null) return NUMBERS.get(name);
  const [, up = "0", down = "0"] = realtime;
  return name.startsWith("RTMIN") ? REALTIME_FIRST + Number(up) : REALTIME_LAST - Number(down);
}
