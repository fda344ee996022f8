import type { Platform } from "@undocked/registry";
import { faults, type Faults } from "./faults.ts";
import { readInput, type BuildInput } from "./input.ts";
import { requestedPlatforms, type BuildOptions } from "./options.ts";
import { taggedReference } from "./tagged-reference.ts";

/** What the options name, with what is wrong with it so far. */
export interface NamedInput {
  readonly input: BuildInput;
  readonly platforms: readonly (Platform | undefined)[];
  readonly found: Faults;
}

/** Reads what the options name, before anything is looked at in the context. */
export function readNamed(options: BuildOptions): NamedInput {
  const found = faults();
  for (const tag of options.tags ?? []) found.collect(() => taggedReference(tag));
  const platforms = found.collect(() => requestedPlatforms(options)) ?? [undefined];
  return { input: readInput(options, found), platforms, found };
}
