import { describe, expect, test } from "vitest";
import { readCorpus } from "../../../../test/support/corpus.ts";
import { parseChallenges, pickChallenge, type Challenge } from "./challenge.ts";

interface Expected {
  readonly scheme: string;
  readonly params: Readonly<Record<string, string>>;
  readonly token68?: string;
}
interface Case {
  readonly name: string;
  readonly headers?: readonly string[];
  readonly joined?: string;
  readonly challenges?: readonly Expected[];
  readonly pick?: Expected | null;
  readonly reject?: boolean;
  readonly generate?: { prefix: string; repeat: string; count: number; suffix?: string };
}

const { cases } = readCorpus<{ cases: readonly Case[] }>("registry/www-authenticate.json");
const plain = ({ scheme, params, token68 }: Challenge): Expected => ({
  scheme,
  params: Object.fromEntries(params),
  ...(token68 === undefined ? {} : { token68 }),
});

describe(`${cases.length} WWW-Authenticate headers`, () => {
  test.each(cases.map((it) => [it.name, it] as const))("%s", (_, it) => {
    if (it.generate !== undefined) {
      const { prefix, repeat, count, suffix } = it.generate;
      const numbered = Array.from({ length: count }, (__, n) => repeat.replace("%d", String(n)));
      const parsed = parseChallenges(prefix + numbered.join("") + (suffix ?? ""));
      expect(parsed.length).toBeLessThanOrEqual(1);
      return;
    }
    const joined = parseChallenges(it.joined ?? "");
    const alone = (it.headers ?? []).flatMap((header) => parseChallenges(header));
    expect(alone).toEqual(joined);
    const pick = pickChallenge(joined);
    if (it.reject === true) {
      expect(pick).toBe("refused");
      return;
    }
    expect(joined.map(plain)).toEqual(it.challenges);
    if (it.pick === null || it.pick === undefined) expect(pick).toBeUndefined();
    else expect(typeof pick === "object" ? plain(pick) : pick).toEqual(it.pick);
  });
});
