import { resolve } from "node:path";
import type { Platform } from "@undocked/registry";
import { directoryTree } from "../context/directory-tree.ts";
import type { IgnoreMatcher } from "../dockerfile/ignore.ts";
import type { PlanOptions } from "../plan/options.ts";
import { planStages } from "../plan/plan-stages.ts";
import type { BuildPlan } from "../plan/plan.ts";
import { taggedReference } from "./deliver.ts";
import { faults } from "./faults.ts";
import { readInput, type BuildInput } from "./input.ts";
import { checkLocally } from "./local-check.ts";
import { parseNamedContext } from "./named-context.ts";
import { requestedPlatform, type BuildOptions } from "./options.ts";
import { openRecipes } from "./workspace.ts";
/** What was found to be in order before anything was fetched. */
export interface CheckedInput extends Required<BuildInput> {
  readonly planOptions: PlanOptions;
  /** Made without knowing the bases. */
  readonly plan: BuildPlan;
  /** Steps that have been looked at. */
  readonly steps: ReadonlySet<string>;
}

/**
 * Finds what can be found without the network.
 *
 * @throws {UndockedError} with every fault
 */
export async function checkInput(options: BuildOptions): Promise<CheckedInput> {
  const { namedContexts = {}, tags = [], executables = "static" } = options;
  const found = faults();
  for (const tag of tags) found.collect(() => taggedReference(tag));
  const platform = found.collect(() => requestedPlatform(options));
  const { dockerfile, context, ignore, mapped, project } = readInput(options, found);
  for (const [name, value] of Object.entries(namedContexts))
    found.collect(() => checkNamedContext(name, value, project));
  const planOptions = planOptionsOf(options, platform, ignore);
  const plan =
    dockerfile === undefined
      ? undefined
      : found.collect(() => planStages(dockerfile, planOptions, new Map()));
  if (!dockerfile || !plan || !context || !ignore || !mapped) throw found.error();
  const steps = await checkLocally(plan, context, executables, found, openRecipes(options));
  found.throwIfAny();
  return { dockerfile, context, ignore, mapped, project, planOptions, plan, steps };
}

export function planOptionsOf(
  options: BuildOptions,
  platform: Platform | undefined,
  ignore: IgnoreMatcher | undefined,
): PlanOptions {
  const { buildArgs, labels, target, entrypoint, sourceDateEpoch, namedContexts } = options;
  return {
    ...(platform === undefined ? {} : { platform }),
    ...(ignore === undefined ? {} : { ignore }),
    ...(buildArgs === undefined ? {} : { buildArgs }),
    ...(labels === undefined ? {} : { labels }),
    ...(target === undefined ? {} : { target }),
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(sourceDateEpoch === undefined ? {} : { sourceDateEpoch }),
    ...(namedContexts === undefined ? {} : { namedContexts: Object.keys(namedContexts) }),
  };
}

/** A directory that is not there is told before anything is fetched. */
function checkNamedContext(name: string, value: string, project: string): void {
  const context = parseNamedContext(name, value);
  if (context.kind === "directory") directoryTree(resolve(project, context.path));
}
