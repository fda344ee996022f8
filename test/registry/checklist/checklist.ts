import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openSite, type Site } from "./site.ts";
import { setups, type Setup } from "./setups.ts";

/** The scenarios by group, in the words of the clients' own suites that they come from. */
export const scenarioNames = JSON.parse(
  readFileSync(new URL("scenarios.json", import.meta.url), "utf8"),
) as Readonly<Record<string, readonly string[]>>;

export type Scenario = (site: Site) => Promise<void>;

/** Adds a scenario, named as the checklist names it. */
export type Define = (name: string, run: Scenario) => void;

/** One test for each scenario of a group at each of the four setups; none may be missing, and none may be unknown. */
export function checklist(group: string, define: (scenario: Define) => void): void {
  const scenarios: (readonly [name: string, run: Scenario])[] = [];
  define((name, run) => void scenarios.push([name, run]));
  test(`${group}: each scenario of the checklist has its test`, () => {
    const names = scenarios.map(([name]) => name);
    expect(names.toSorted()).toEqual((scenarioNames[group] ?? []).toSorted());
  });
  for (const setup of setups) {
    describe.skipIf(setup.missing)(setup.name, () => {
      tests(group, scenarios, setup);
    });
  }
}

function tests(
  group: string,
  scenarios: readonly (readonly [name: string, run: Scenario])[],
  setup: Setup,
): void {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(setup);
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
  });
  // Of every scenario, whatever it is about.
  afterEach(async () => {
    expect(await site.reset(), "credentials on origins they were not issued for").toEqual([]);
  });
  test.each(scenarios)(`${group}: %s`, async (_, run) => await run(site));
}
