import { UndockedError, type Platform } from "@undocked/registry";
import type { RecipeCache } from "../cache/recipe-cache.ts";
import { cleanPath, isWithin } from "../context/path.ts";
import { walkAhead } from "../context/walk-ahead.ts";
import type { AddStep, BuildPlan, CopyStep, Step } from "../plan/plan.ts";
import { platformOfStage, refusedExecutables } from "./executables.ts";
import { located, type Faults } from "./faults.ts";
import type { PartialContext } from "./input.ts";
import type { ExecutablePolicy } from "./options.ts";
import { planAlone, type PlannedStep } from "./planned-copy.ts";

/** Faults that a COPY has whatever it is copied over, as it has that of a source that is not there. */
const independent: readonly string[] = ["COPY_NAME_RESERVED", "FILE_KIND_UNSUPPORTED", "SYMLINK_LOOP"];

/**
 * Finds, before anything is fetched, what COPY from the context would stumble over: sources that are not there, names that
 * cannot be, executables that are refused. Steps whose words depend on the base wait until it is known.
 *
 * @returns what the steps that were looked at came to, by their keys
 */
export async function checkLocally(
  plan: BuildPlan,
  context: PartialContext,
  executables: ExecutablePolicy,
  faults: Faults,
  known?: RecipeCache,
): Promise<ReadonlyMap<string, PlannedStep>> {
  const checked = new Map<string, PlannedStep>();
  const now = plan.sourceDateEpoch ?? 0;
  for (const { step, platform } of stepsOf(plan)) {
    if (step.kind === "add" && step.from.kind === "context" && !step.provisional)
      faults.collect(() => located(step.at, () => plannedAlone(withoutUrls(step), context, now)));
    if (step.kind !== "copy" || step.from.kind !== "context" || step.provisional) continue;
    // Planned in one go, which takes long where all is still to be looked at.
    if (step.exclude.length === 0)
      for (const source of step.sources) await walkAhead(context.tree, cleanPath(source));
    const planned = faults.collect(() => located(step.at, () => plannedAlone(step, context, now)));
    if (planned === undefined) continue;
    const { entries } = planned.copy;
    const refused =
      executables === "static" && context.isFiltered
        ? await refusedExecutables(entries, platform, known)
        : [];
    for (const refusal of refused) faults.add({ ...refusal, location: step.at });
    checked.set(stepKey(step), planned);
  }
  return checked;
}

/** Each step with what its programs are to run on. */
function stepsOf(plan: BuildPlan): readonly { readonly step: Step; readonly platform: Platform }[] {
  return plan.stages.flatMap((stage) => {
    const platform = platformOfStage(stage, plan);
    return stage.steps.map((step) => ({ step, platform }));
  });
}

/** The step as if there were no base; `undefined` where only the base, or the rest of the context, can tell. */
function plannedAlone(
  step: CopyStep | AddStep,
  context: PartialContext,
  now: number,
): PlannedStep | undefined {
  try {
    return planAlone(step, context.tree, now);
  } catch (error) {
    if (!(error instanceof UndockedError) || isCertain(error, step, context)) throw error;
    return undefined;
  }
}

/** Whether a fault of a step is there whatever it is copied over, and whatever the rest of the context has. */
function isCertain(
  { code }: UndockedError,
  { sources }: CopyStep | AddStep,
  { unknown, isFiltered }: PartialContext,
): boolean {
  if (code !== "COPY_SOURCE_MISSING") return isFiltered && independent.includes(code);
  const fixed = sources.map((source) => cleanPath(source.replace(/(?:^|\/)[^/]*[*?[\\].*$/, "")));
  return !fixed.some((source) => unknown.some((path) => isWithin(path, source) || isWithin(source, path)));
}

/** What of an ADD can be looked at here. Whether it is unpacked does not matter for what is missing. */
function withoutUrls(step: AddStep): AddStep {
  return { ...step, sources: step.sources.filter((source) => !step.urls.includes(source)) };
}

/** The same for a step of the provisional plan and of the final one. */
export function stepKey(step: Step): string {
  return JSON.stringify([step.at.line, step.createdBy]);
}
