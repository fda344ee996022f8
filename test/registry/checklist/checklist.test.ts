import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { scenarioNames } from "./checklist.ts";
import { setups } from "./setups.ts";

test("each group of the checklist has a file of that name", () => {
  const files = readdirSync(new URL(".", import.meta.url));
  expect(Object.keys(scenarioNames).filter((group) => !files.includes(`${group}.test.ts`))).toEqual([]);
});

test("no scenario is named twice", () => {
  for (const names of Object.values(scenarioNames)) expect(new Set(names).size).toBe(names.length);
});

test("both registries, plain and behind TLS", () => {
  expect(setups.map(({ server, secure }) => `${server} ${secure ? "TLS" : "plain"}`).toSorted()).toEqual([
    "docker-registry TLS",
    "docker-registry plain",
    "embedded TLS",
    "embedded plain",
  ]);
});
