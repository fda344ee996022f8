import type { HealthcheckInstruction, Statement } from "./ast.ts";
import { parseDuration } from "./duration.ts";
import { WordError } from "./error.ts";
import { readFlags, type FlagKind } from "./flags.ts";
import { goQuote } from "./quote.ts";

type HealthcheckFields = Omit<HealthcheckInstruction, "kind" | "at" | "statement">;

const HEALTHCHECK_FLAGS: Readonly<Record<string, FlagKind>> = {
  interval: "text",
  timeout: "text",
  "start-period": "text",
  "start-interval": "text",
  retries: "text",
};
const SHORTEST_INTERVAL = 1e6;

/**
 * Reads HEALTHCHECK's type, command and times.
 *
 * @throws {DockerfileError} `DOCKERFILE_INVALID`, with BuildKit's message
 */
export function readHealthcheck(statement: Statement): HealthcheckFields {
  const [word = "", ...args] = statement.args;
  const type = word.toUpperCase();
  const none = { interval: 0, timeout: 0, startPeriod: 0, startInterval: 0, retries: 0 };
  if (type === "NONE") {
    if (args.length > 0) throw new WordError("HEALTHCHECK NONE takes no arguments");
    return { test: ["NONE"], ...none };
  }
  const flags = readFlags(statement.flags, HEALTHCHECK_FLAGS);
  if (type !== "CMD") {
    throw new WordError(`Unknown type ${goQuote(type)} in HEALTHCHECK (try CMD)`);
  }
  if (args.length === 0) throw new WordError("Missing command after HEALTHCHECK CMD");
  const interval = (name: string) => {
    const text = flags.text(name);
    const duration = text === undefined ? 0 : parseDuration(text);
    if (duration !== 0 && duration < SHORTEST_INTERVAL) {
      throw new WordError(`Interval ${goQuote(name)} cannot be less than 1ms`);
    }
    return duration;
  };
  return {
    test: statement.json ? ["CMD", ...args] : ["CMD-SHELL", ...args],
    interval: interval("interval"),
    timeout: interval("timeout"),
    startPeriod: interval("start-period"),
    startInterval: interval("start-interval"),
    retries: retries(flags.text("retries")),
  };
}

function retries(text: string | undefined): number {
  if (text === undefined) return 0;
  if (!/^[+-]?\d+$/.test(text)) {
    throw new WordError(`strconv.ParseInt: parsing ${goQuote(text)}: invalid syntax`);
  }
  const number = Number(text);
  if (number > 2 ** 31 - 1) {
    throw new WordError(`strconv.ParseInt: parsing ${goQuote(text)}: value out of range`);
  }
  if (number < 0) throw new WordError(`--retries cannot be negative (${number})`);
  return number;
}
