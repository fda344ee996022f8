import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { nodeMajor, nodeRefusal, OLDEST_NODE } from "./node-version.ts";

test.each(["20.19.0", "20.19.5", "20.20.2", "22.0.0", "24.1.0", "100.0.0"])("%s is new enough", (version) => {
  expect(nodeRefusal(version)).toBeUndefined();
});

test.each(["20.18.3", "18.20.4", "9.99.0", "0.10.48"])("%s is told to be too old", (version) => {
  expect(nodeRefusal(version)).toBe(`undocked needs Node 20.19 or newer; this is ${version}.`);
});

test("Bun and Deno are no Node, whatever version they say they stand for", () => {
  const { versions } = process;
  expect(nodeMajor({ ...versions, node: "22.4.1" })).toBe(22);
  expect(nodeMajor({ ...versions, node: "22.4.1", bun: "1.2.3" })).toBeUndefined();
  expect(nodeMajor({ ...versions, node: "22.4.1", deno: "2.3.4" })).toBeUndefined();
});

test.each(["registry", "core", "cli"])("the oldest is the one that %s's package.json names", (name) => {
  const own = JSON.parse(readFileSync(new URL(`../../${name}/package.json`, import.meta.url), "utf8"));
  expect(own.engines.node).toBe(`>=${OLDEST_NODE}`);
});
