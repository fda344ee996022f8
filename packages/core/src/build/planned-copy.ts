import type { SourceTree } from "../context/source-tree.ts";
import type { Entry } from "../layer/entry.ts";
import type { AddStep, CopyStep } from "../plan/plan.ts";
import { planCopy, type PlannedCopy } from "../rootfs/copy.ts";
import { layOver } from "../rootfs/lay-over.ts";
import { isOwnerByNumber } from "../rootfs/owner.ts";
import { emptyRootFs, type RootFs } from "../rootfs/rootfs.ts";
import { copyRequest, replacesLinks } from "./copy-step.ts";

/** A COPY that was looked at before its base was known. */
export interface PlannedStep {
  /** Its words, and the instant for all that it makes: another step of the same place is another. */
  readonly words: string;
  /** What it comes to in an empty root. */
  readonly copy: PlannedCopy;
  /** Whether that says what it comes to in other roots. */
  readonly isWhole: boolean;
}

/**
 * Plans a COPY in an empty root.
 *
 * @param now - seconds since 1970, of what the step itself makes
 */
export function planAlone(step: CopyStep | AddStep, tree: SourceTree, now: number): PlannedStep {
  const { chown, ...ownerless } = step;
  // Names of owners are the base's to know.
  const hasOwner = chown === undefined || isOwnerByNumber(chown);
  const copy = planCopy(copyRequest(hasOwner ? step : ownerless, emptyRootFs(), tree, now));
  // With --parents, directories that are there and those of the source are mixed.
  return { words: wordsOf(step, now), copy, isWhole: hasOwner && !step.parents };
}

/** Does a planned COPY to a root; `undefined`: it has to be planned in that root. */
export function layPlanned(
  planned: PlannedStep,
  step: CopyStep,
  root: RootFs,
  now: number,
): readonly Entry[] | undefined {
  if (!planned.isWhole || planned.words !== wordsOf(step, now)) return undefined;
  if (!replacesLinks(step)) return layOver(root, planned.copy);
  root.applyEntries(planned.copy.entries);
  return planned.copy.entries;
}

function wordsOf(step: CopyStep | AddStep, now: number): string {
  return JSON.stringify([step, now]);
}
