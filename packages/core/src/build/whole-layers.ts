import { isForeignLayerType, type CallOptions, type Descriptor, type Reference } from "@undocked/registry";
import type { BuildPlan } from "../plan/plan.ts";
import type { BaseImage } from "./base.ts";
import type { BasePool } from "./base-pool.ts";
import type { BuildOptions } from "./options.ts";
import { byRepository } from "./tagged-reference.ts";
import type { Workspace } from "./workspace.ts";

/** Which layers of bases are asked for as a whole later, so that they are fetched once: not for their files alone. */
export interface WholeLayers {
  /** Says what the results are built upon. */
  below(plans: readonly BuildPlan[], bases: BasePool): void;
  isNeeded(layer: Descriptor, image: BaseImage, call: CallOptions): Promise<boolean>;
}

/** An output takes every layer; a repository of another registry those that it does not have. */
export function wholeLayers(
  { outputs = [], push = false, tags = [] }: BuildOptions,
  { client, offline }: Pick<Workspace, "client" | "offline">,
): WholeLayers {
  const finals = new Set<BaseImage>();

  async function isLacking(layer: Descriptor, from: Reference, call: CallOptions): Promise<boolean> {
    for (const [to] of push ? byRepository(tags).values() : []) {
      // It may be mounted there.
      if (to.registry === from.registry) continue;
      // Why it does not answer is told by who sends something.
      if (
        !(await client
          .repository(to)
          .exists(layer, call)
          .catch(() => true))
      )
        return true;
    }
    return false;
  }

  return {
    below(plans, bases) {
      for (const plan of plans) {
        const image = finalBase(plan, bases);
        if (image !== undefined) finals.add(image);
      }
    },
    async isNeeded(layer, image, call) {
      const { repository } = image;
      if (repository === undefined || offline !== undefined || !finals.has(image)) return false;
      if (isForeignLayerType(layer.mediaType)) return false;
      return outputs.length > 0 || (await isLacking(layer, repository, call));
    },
  };
}

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
