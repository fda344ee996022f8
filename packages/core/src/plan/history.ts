import { formatDuration } from "../dockerfile/duration.ts";
import type { HealthcheckInstruction, KeyValue } from "../dockerfile/ast.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

/** As Go's `%q` prints a text. */
export function goQuote(text: string): string {
  const quoted = text.replaceAll(/[\\"]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (character) => {
    const known = ESCAPES[character];
    if (known !== undefined) return known;
    const point = character.codePointAt(0) ?? 0;
    if (point < 0x80) return `\\x${point.toString(16).padStart(2, "0")}`;
    return point > 0xffff
      ? `\\U${point.toString(16).padStart(8, "0")}`
      : `\\u${point.toString(16).padStart(4, "0")}`;
  });
  return `"${quoted}"`;
}

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
