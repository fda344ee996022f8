import { readFileSync } from "node:fs";

/** A data file of the test corpus; its README tells where the expected values were recorded. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows the form of its file
export function readCorpus<T>(path: `${"dockerfile" | "elf" | "registry"}/${string}`): T {
  return JSON.parse(readFileSync(new URL(`../corpus/${path}`, import.meta.url), "utf8")) as T;
}
