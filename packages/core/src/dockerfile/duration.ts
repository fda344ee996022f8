import { WordError } from "./error.ts";
import { goQuoteBytes } from "./quote.ts";

// Go's time.ParseDuration:  [+-] ( "0" | ( decimal unit )+ ),  decimal: digits [ "." digits ] | "." digits
const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const LARGEST = 9_223_372_036_854_775_807n;
// A number with more digits than this is too large, or more precise than a nanosecond, in every unit.
const DIGITS = 40;

/**
 * Nanoseconds of `1m30s`, `500ms`, `.5s`, `-1h`.
 *
 * @throws {DockerfileError} `DOCKERFILE_INVALID`, with Go's message
 */
export function parseDuration(text: string): number {
  const invalid = new WordError(`time: invalid duration ${goQuoteBytes(text)}`);
  let rest = text.replace(/^[+-]/, "");
  if (rest === "0") return 0;
  if (rest === "") throw invalid;
  let total = 0n;
  while (rest !== "") {
    const [number, whole = "", , fraction = ""] = /^(\d*)(\.(\d*))?/.exec(rest) ?? [""];
    if (whole + fraction === "" || whole.length > DIGITS) throw invalid;
    rest = rest.slice(number.length);
    const [unit] = /^[^.\d]*/.exec(rest) ?? [""];
    if (unit === "") throw new WordError(`time: missing unit in duration ${goQuoteBytes(text)}`);
    const scale = Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined;
    if (scale === undefined) {
      throw new WordError(`time: unknown unit ${goQuoteBytes(unit)} in duration ${goQuoteBytes(text)}`);
    }
    const digits = fraction.slice(0, DIGITS);
    total += BigInt(whole || "0") * scale + (BigInt(digits || "0") * scale) / 10n ** BigInt(digits.length);
    if (total > LARGEST) throw invalid;
    rest = rest.slice(unit.length);
  }
  return text.startsWith("-") ? -Number(total) : Number(total);
}

/** As Go prints a duration: `1m30s`, `500ms`, `0s`. */
export function formatDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return "0s";
  const sign = nanoseconds < 0 ? "-" : "";
  const size = Math.abs(nanoseconds);
  if (size < 1e3) return `${sign}${size}ns`;
  if (size < 1e6) return `${sign}${decimal(size, 1e3)}µs`;
  if (size < 1e9) return `${sign}${decimal(size, 1e6)}ms`;
  const minutes = Math.floor(size / 60e9);
  const seconds = `${decimal(size - minutes * 60e9, 1e9)}s`;
  if (minutes === 0) return `${sign}${seconds}`;
  if (minutes < 60) return `${sign}${minutes}m${seconds}`;
  return `${sign}${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}

/** Exact, where dividing numbers would round. */
function decimal(size: number, unit: number): string {
  const fraction = String(size % unit).padStart(String(unit).length - 1, "0");
  return `${Math.floor(size / unit)}.${fraction}`.replace(/\.?0+$/, "");
}
