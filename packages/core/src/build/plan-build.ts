import type { Diagnostic } from "@undocked/registry";
import { checkDockerfile } from "../plan/plan-stages.ts";
import type { BuildPlan } from "../plan/plan.ts";
import { basePool, completePlan } from "./base-pool.ts";
import { checkInput, planOptionsOf } from "./check-input.ts";
import { diagnosticsOf, faults } from "./faults.ts";
import { readInput, treeOptions } from "./input.ts";
import { checkOptions, requestedPlatform, type BuildOptions } from "./options.ts";
import { scope } from "./scope.ts";
import { openWorkspace } from "./workspace.ts";

/**
 * Tells what `buildImage` would do, with the same options. Of its bases it asks for the manifests and configurations alone;
 * no layer is read, nothing is written but the cache.
 *
 * @throws {UndockedError} as `buildImage`, for all that can be known so far
 */
export async function planBuild(options: BuildOptions = {}): Promise<BuildPlan> {
  checkOptions(options);
  const { dockerfile, planOptions, plan, project } = await checkInput(options);
  if (plan.requiredBases.length === 0) return plan;
  await using workspace = await openWorkspace(options);
  await using held = scope();
  const { namedContexts = {}, signal, onEvent } = options;
  const bases = basePool({
    hold: held.hold,
    workspace,
    project,
    namedContexts,
    files: treeOptions(options),
    call: signal === undefined ? {} : { signal },
    emit: (event) => onEvent?.(event),
  });
  return await completePlan(dockerfile, planOptions, plan, bases);
}

/**
 * Looks at the Dockerfile alone, of the options that `buildImage` takes: its faults and the build checks, in the order of the
 * text. Neither files nor bases are looked at.
 *
 * @throws {OptionsError} `OPTIONS_INVALID`
 */
export function checkBuild(options: BuildOptions = {}): readonly Diagnostic[] {
  checkOptions(options);
  const found = faults();
  const platform = found.collect(() => requestedPlatform(options));
  const { dockerfile, ignore } = readInput(options, found);
  if (dockerfile === undefined) return diagnosticsOf(found.error());
  return checkDockerfile(dockerfile, planOptionsOf(options, platform, ignore));
}
