import { isForeignLayerType } from "@undocked/registry";
import type { BuildPlan } from "../plan/plan.ts";
import type { BasePool } from "./base-pool.ts";
import { finalBase } from "./final-base.ts";
import type { Workspace } from "./workspace.ts";

/**
 * Looks for everything of the bases that a build without a network needs, before there is work that would be lost.
 *
 * @throws {OfflineError} `OFFLINE_MISSING`; the others are with the first
 */
export async function checkOffline(
  plans: readonly BuildPlan[],
  bases: BasePool,
  { offline, content }: Workspace,
  needs: "files" | "files and layers",
): Promise<void> {
  if (offline === undefined) return;
  const keys = new Set(plans.flatMap(({ requiredBases }) => requiredBases.map(({ key }) => key)));
  const images = [...keys].filter((key) => bases.opened(key) !== undefined);
  const read = await Promise.allSettled(images.map((key) => bases.rootFs(key)));
  const missing: unknown[] = read.flatMap((outcome) =>
    outcome.status === "rejected" ? [outcome.reason] : [],
  );
  for (const plan of needs === "files" ? [] : plans) {
    const base = finalBase(plan, bases);
    if (base?.repository === undefined) continue;
    for (const layer of base.manifest.layers) {
      if (isForeignLayerType(layer.mediaType) || (await content.exists(layer))) continue;
      missing.push(offline.missingContent("layer", layer, base.name));
    }
  }
  if (missing.length > 0) throw missing[0];
}
