import { formatDuration } from "../dockerfile/duration.ts";
import type { HealthcheckInstruction, KeyValue } from "../dockerfile/ast.ts";
import { goQuote } from "../dockerfile/quote.ts";

/** The history's text of CMD and ENTRYPOINT. */
export function commandText(keyword: "CMD" | "ENTRYPOINT", words: readonly string[]): string {
  return `${keyword} [${words.map(goQuote).join(" ")}]`;
}

export function pairsText(
  keyword: "ARG" | "ENV" | "LABEL",
  pairs: readonly (Pick<KeyValue, "key"> & { readonly value?: string })[],
): string {
  const words = pairs.map(({ key, value }) => (value === undefined ? key : `${key}=${value}`));
  return [keyword, ...words].join(" ");
}

export function healthcheckText(check: HealthcheckInstruction): string {
  const durations = [
    ["Interval", check.interval],
    ["Timeout", check.timeout],
    ["StartPeriod", check.startPeriod],
    ["StartInterval", check.startInterval],
  ] as const;
  const times = durations.map(([name, duration]) => `${name}:${formatDuration(duration)}`).join(" ");
  return `HEALTHCHECK {Test:[${check.test.join(" ")}] ${times} Retries:${check.retries}}`;
}
