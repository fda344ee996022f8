import { defaultPlatform, formatPlatform, type Diagnostic } from "@undocked/registry";
import { checkDockerfile } from "../plan/plan-stages.ts";
import type { BuildPlan } from "../plan/plan.ts";
import { basePool } from "./base-pool.ts";
import { checkInput, parsed, planOptionsOf } from "./check-input.ts";
import { completePlans } from "./complete-plan.ts";
import { diagnosticsOf, faults } from "./faults.ts";
import { readInput, treeOptions } from "./input.ts";
import { checkOptions, requestedPlatforms, type BuildOptions } from "./options.ts";
import { mergeFindings } from "./platform-faults.ts";
import { scope } from "./scope.ts";
import { usableCache, writingToCache } from "./usable-cache.ts";
import { openWorkspace } from "./workspace.ts";

/** A plan, and those for all platforms that were asked for. */
export interface PlannedBuild extends BuildPlan {
  /** One for each platform, in the order they were asked for; the build plan itself is the first. */
  readonly plans: readonly BuildPlan[];
}

/**
 * Tells what `buildImage` would do, with the same options. Of its bases it asks for the manifests and configurations alone;
 * no layer is read, nothing is written but the cache.
 *
 * @throws {UndockedError} as `buildImage`, for all that can be known so far
 */
export async function planBuild(options: BuildOptions = {}): Promise<PlannedBuild> {
  return await plan(checkOptions(options));
}

async function plan(given: BuildOptions): Promise<PlannedBuild> {
  const { cache, warnings } = await usableCache(given);
  const options = { ...given, cache };
  const checked = await checkInput(options);
  if (checked.targets.every(({ plan }) => plan.requiredBases.length === 0))
    return plannedBuild(
      checked.targets.map(({ plan }) => plan),
      warnings,
    );
  await using workspace = await openWorkspace(options);
  await using held = scope();
  const { namedContexts = {}, signal, onEvent } = options;
  const bases = held.hold(
    basePool({
      hold: held.hold,
      workspace,
      project: checked.project,
      namedContexts,
      files: treeOptions(options),
      call: signal === undefined ? {} : { signal },
      emit: (event) => onEvent?.(event),
    }),
  );
  try {
    const complete = () => completePlans(checked, bases);
    return plannedBuild(await writingToCache(cache, workspace.directory, complete), warnings);
  } catch (error) {
    throw workspace.offline?.together(error) ?? error;
  }
}

/** @param warnings - of the cache */
function plannedBuild(made: readonly BuildPlan[], warnings: readonly Diagnostic[]): PlannedBuild {
  const plans = made.map((plan) => ({ ...plan, warnings: [...warnings, ...plan.warnings] }));
  const [first] = plans;
  if (first === undefined) throw new Error("a build is for a platform");
  return { ...first, plans };
}

/**
 * Looks at the Dockerfile alone, of the options that `buildImage` takes: its faults and the build checks, in the order of the
 * text; what concerns some of several platforms names them. Neither files nor bases are looked at.
 *
 * @throws {OptionsError} `OPTIONS_INVALID`
 */
export function checkBuild(options: BuildOptions = {}): readonly Diagnostic[] {
  const given = checkOptions(options);
  const found = faults();
  const platforms = found.collect(() => requestedPlatforms(given)) ?? [undefined];
  const { dockerfile: text, ignore } = readInput(given, found);
  const dockerfile = parsed(text, found);
  if (dockerfile === undefined) return diagnosticsOf(found.error());
  return mergeFindings(
    platforms.map((platform) => ({
      platform: formatPlatform(platform ?? defaultPlatform),
      found: checkDockerfile(dockerfile, planOptionsOf(given, platform, ignore)),
    })),
    "plain",
  );
}
