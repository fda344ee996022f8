import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openSite, type Site } from "./site.ts";
import { setups } from "./setups.ts";

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
  atEachSetup((site) => {
    test.each(scenarios)(`${group}: %s`, async (_, run) => await run(site()));
  });
}

/** Tests with a site of their own at each setup, which is put in order after each of them. */
export function atEachSetup(define: (site: () => Site) => void): void {
  for (const setup of setups) {
    describe.skipIf(setup.missing)(setup.name, () => {
      let site: Site;
      beforeAll(async () => {
        site = await openSite(setup);
      });
      afterAll(async () => {
        await site[Symbol.asyncDispose]();
      });
      // Of every test, whatever it is about.
      afterEach(async () => {
        expect(await site.reset(), "credentials where they do not belong").toEqual([]);
      });
      define(() => site);
    });
  }
}
