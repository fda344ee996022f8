import { UndockedError, type Platform } from "@undocked/registry";
import type { RecipeCache } from "../cache/recipe-cache.ts";
import type { SourceTree } from "../context/source-tree.ts";
import type { Entry } from "../layer/entry.ts";
import type { AddStep, BuildPlan, CopyStep, Step } from "../plan/plan.ts";
import { emptyRootFs } from "../rootfs/rootfs.ts";
import { copyEntries } from "./copy-step.ts";
import { platformOfStage, refusedExecutables } from "./executables.ts";
import { located, type Faults } from "./faults.ts";
import type { ExecutablePolicy } from "./options.ts";

/** Faults that a COPY has whatever it is copied over. */
const independent: readonly string[] = [
  "COPY_SOURCE_MISSING",
  "COPY_NAME_RESERVED",
  "FILE_KIND_UNSUPPORTED",
  "SYMLINK_LOOP",
];

/**
 * Finds, before anything is fetched, what COPY from the context would stumble over: sources that are not there, names that
 * cannot be, executables that are refused. Steps whose words depend on the base wait until it is known.
 *
 * @returns the keys of the steps that were looked at
 */
export async function checkLocally(
  plan: BuildPlan,
  context: SourceTree,
  executables: ExecutablePolicy,
  faults: Faults,
  known?: RecipeCache,
): Promise<ReadonlySet<string>> {
  const checked = new Set<string>();
  for (const { step, platform } of stepsOf(plan)) {
    if (step.kind === "add" && step.from.kind === "context" && !step.provisional)
      faults.collect(() => located(step.at, () => copiedAlone(withoutUrls(step), context)));
    if (step.kind !== "copy" || step.from.kind !== "context" || step.provisional) continue;
    const entries = faults.collect(() => located(step.at, () => copiedAlone(step, context)));
    if (entries === undefined) continue;
    const refused = executables === "static" ? await refusedExecutables(entries, platform, known) : [];
    for (const refusal of refused) faults.add({ ...refusal, location: step.at });
    checked.add(stepKey(step));
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

/** The step's entries as if there were no base; `undefined` where only the base can tell. */
function copiedAlone(step: CopyStep | AddStep, context: SourceTree): readonly Entry[] | undefined {
  // Names of owners are the base's to know.
  const { chown: _chown, ...ownerless } = step;
  try {
    return copyEntries(ownerless, emptyRootFs(), context, 0);
  } catch (error) {
    if (!(error instanceof UndockedError) || independent.includes(error.code)) throw error;
    return undefined;
  }
}

/** What of an ADD can be looked at here. Whether it is unpacked does not matter for what is missing. */
function withoutUrls(step: AddStep): AddStep {
  return { ...step, sources: step.sources.filter((source) => !step.urls.includes(source)) };
}

/** The same for a step of the provisional plan and of the final one. */
export function stepKey(step: Step): string {
  return JSON.stringify([step.at.line, step.createdBy]);
}
