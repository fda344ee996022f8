import type { BuildPlan } from "../plan/plan.ts";
import type { BaseImage } from "./base.ts";
import type { BasePool } from "./base-pool.ts";

/** What the result is built upon, through all stages; `undefined`: scratch, or a directory. */
export function finalBase({ stages }: BuildPlan, bases: BasePool): BaseImage | undefined {
  let stage = stages.at(-1);
  while (stage?.from.kind === "stage") {
    const { from } = stage;
    stage = stages.find(({ index }) => index === from.index);
  }
  const { from } = stage ?? {};
  return from?.kind === "image" || from?.kind === "named" ? bases.opened(from.key) : undefined;
}
