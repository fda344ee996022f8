import type { ImageConfig } from "@undocked/registry";
import { planStages } from "../plan/plan-stages.ts";
import type { BuildPlan } from "../plan/plan.ts";
import type { BasePool } from "./base-pool.ts";
import type { CheckedInput, CheckedTarget } from "./check-input.ts";
import { locatedAsync } from "./faults.ts";
import { orderedWork, type OrderedWork } from "./ordered-work.ts";
import { forPlatform } from "./platform-faults.ts";

/**
 * Opens the bases that plans ask for and plans again with their configurations, until none is asked for.
 *
 * @throws what is wrong with the base that comes first in the text
 */
export async function completePlans(
  { dockerfile, targets }: Pick<CheckedInput, "dockerfile" | "targets">,
  pool: BasePool,
): Promise<readonly BuildPlan[]> {
  const work = orderedWork();
  return await work.all(
    targets.map((target, position) => completePlan(dockerfile, target, position, pool, work)),
  );
}

async function completePlan(
  dockerfile: CheckedInput["dockerfile"],
  { name, plan: first, planOptions }: CheckedTarget,
  position: number,
  pool: BasePool,
  work: OrderedWork,
): Promise<BuildPlan> {
  const configs = new Map<string, ImageConfig>();
  let plan = first;
  // A base's triggers may name further images; each round knows more of them.
  for (let round = 0; ; round += 1) {
    const missing = plan.requiredBases.filter(({ key }) => !configs.has(key));
    if (missing.length === 0) return plan;
    const opened = await Promise.all(
      missing.map(async (base) => {
        // Offline nothing is worth stopping, and all that is missing is to be found.
        const place = pool.isOffline ? [] : [round, base.at.line, position];
        const open = (): Promise<ImageConfig> =>
          pool.isOffline ? pool.open(base) : locatedAsync(base.at, () => pool.open(base));
        return [base.key, await work.run(place, () => forPlatform(name, open))] as const;
      }),
    );
    for (const [key, config] of opened) configs.set(key, config);
    plan = await work.run([round, Number.POSITIVE_INFINITY, position], () =>
      forPlatform(name, async () => planStages(dockerfile, planOptions, configs)),
    );
  }
}
