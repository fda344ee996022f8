import { digestOf, encodeJson, formatPlatform, type HistoryEntry, type Platform } from "@undocked/registry";
import { unlessStopped } from "../cache/unless-stopped.ts";
import { memoryTree } from "../context/memory-tree.ts";
import type { SourceTree } from "../context/source-tree.ts";
import type { Entry } from "../layer/entry.ts";
import type { BuildPlan, CopySource, StageBase, StagePlan, Step, WorkdirStep } from "../plan/plan.ts";
import { copy } from "../rootfs/copy.ts";
import type { WrittenFile } from "../rootfs/copy-step.ts";
import { parseOwner } from "../rootfs/owner.ts";
import { emptyRootFs, type RootFs } from "../rootfs/rootfs.ts";
import { workdir } from "../rootfs/workdir.ts";
import type { BaseImage } from "./base.ts";
import type { BasePool } from "./base-pool.ts";
import { addEntries, copyEntries } from "./copy-step.ts";
import type { Downloads } from "./download.ts";
import type { BuildEvent } from "./event.ts";
import { platformOfStage, refusedExecutables } from "./executables.ts";
import { faults, located, locatedAsync } from "./faults.ts";
import { stepKey } from "./local-check.ts";
import type { ExecutablePolicy } from "./options.ts";
import { orderedWork, type OrderedWork, type Place } from "./ordered-work.ts";
import { layPlanned, type PlannedStep } from "./planned-copy.ts";
import { forPlatform } from "./platform-faults.ts";
import type { Scope } from "./scope.ts";
import type { Workspace } from "./workspace.ts";

/** A layer that an image is to have. */
export interface StageLayer {
  readonly entries: readonly Entry[];
  /** Of what its files' times are cut to: seconds since 1970. */
  readonly epoch: number;
  /** Where it stands in the text. */
  readonly place: Place;
}

/** What a stage has come to. */
export interface BuiltStage {
  readonly root: RootFs;
  /** The image at the bottom; `undefined`: scratch. */
  readonly base: BaseImage | undefined;
  /** Over the base, bottom first. */
  readonly layers: readonly StageLayer[];
  /** Of the instructions over the base. */
  readonly history: readonly HistoryEntry[];
  readonly plan: StagePlan;
}

/** What the stages of all platforms share. */
export interface StageContext {
  readonly context: SourceTree;
  readonly bases: BasePool;
  readonly workspace: Workspace;
  readonly downloads: Downloads;
  readonly executables: ExecutablePolicy;
  readonly signal?: AbortSignal;
  readonly emit: (event: BuildEvent) => void;
  readonly hold: Scope["hold"];
}

/** One platform's image that is to be made. */
export interface StageTarget {
  readonly plan: BuildPlan;
  /** Steps that were planned before, and whose executables have been judged. */
  readonly checked: ReadonlyMap<string, PlannedStep>;
}

/** A stage that is being carried out, and what it needs of others. */
interface StageRun {
  readonly plan: StagePlan;
  /** Stages of the same plan; those above it are there. */
  readonly built: ReadonlyMap<number, Promise<BuiltStage>>;
  readonly target: StageTarget;
  readonly epoch: number;
  /** What its programs are to run on. */
  readonly platform: Platform;
  /** Where the step stands among all that are carried out at this time; the FROM has none. */
  readonly placeOf: (step?: number) => Place;
  readonly shared: StageContext;
  /** For events, where there are several platforms. */
  readonly label: { readonly platform?: string };
}

/**
 * Carries out the stages of plans, each as soon as those are done that it begins with or copies from, and gives the last of each
 * plan. What is the same for several platforms is done once. No layer is written: the images may still be refused.
 *
 * @throws the fault that comes first in the text
 */
export async function applyStages(
  targets: readonly StageTarget[],
  shared: StageContext,
): Promise<readonly BuiltStage[]> {
  const work = orderedWork(shared.signal);
  const known = new Map<string, Promise<BuiltStage>>();

  function begin(target: StageTarget, position: number): Promise<BuiltStage> {
    const { plan } = target;
    const built = new Map<number, Promise<BuiltStage>>();
    const keys = new Map<number, string>();
    const epoch = plan.sourceDateEpoch ?? 0;
    let last: Promise<BuiltStage> | undefined;
    for (const stage of plan.stages) {
      const platform = platformOfStage(stage, plan);
      const key = stageKey(stage, { keys, epoch, platform });
      const label = targets.length === 1 ? {} : { platform: formatPlatform(stage.platform) };
      const placeOf = (step = -1): Place => [stage.index, step, position];
      const run = { plan: stage, built, target, epoch, platform, placeOf, shared, label };
      last = known.get(key) ?? applyStage(run, work);
      known.set(key, last);
      keys.set(stage.index, key);
      built.set(stage.index, last);
    }
    if (last === undefined) throw new Error("a plan has a stage");
    return last;
  }

  const lasts = targets.map(begin);
  await work.all([...known.values()]);
  return await Promise.all(lasts);
}

/** The same for stages that come to the same. */
function stageKey(
  plan: StagePlan,
  made: {
    readonly keys: ReadonlyMap<number, string>;
    readonly epoch: number;
    readonly platform: Platform;
  },
): string {
  const { keys, epoch, platform } = made;
  const sources = [plan.from, ...plan.steps.flatMap((step) => ("from" in step ? [step.from] : []))];
  const stages = sources.map((source) => (source.kind === "stage" ? keys.get(source.index) : undefined));
  return digestOf(encodeJson([plan, stages, epoch, formatPlatform(platform)]));
}

async function applyStage(run: StageRun, work: OrderedWork): Promise<BuiltStage> {
  const { plan, epoch, placeOf, shared, label } = run;
  const start = await work.run(placeOf(), (signal) =>
    // A base may take long, and its pool waits for it.
    unlessStopped(
      signal,
      forPlatform(label.platform, () => startOf(plan.from, run)),
    ),
  );
  const { root } = start;
  const layers = [...start.layers];
  const history = [...start.history];
  for (const [position, step] of plan.steps.entries()) {
    const place = placeOf(position);
    const entries = await work.run(place, () => {
      shared.emit({ kind: "step", text: step.createdBy, line: step.at.line, ...label });
      return forPlatform(label.platform, async () => {
        const entries = await entriesOf(step, root, run);
        if (entries !== undefined) await checkExecutables(step, entries, run);
        return entries;
      });
    });
    if (entries !== undefined) layers.push({ entries, epoch, place });
    history.push({
      created: timeText(epoch),
      created_by: step.createdBy,
      comment: "buildkit.dockerfile.v0",
      ...(entries === undefined ? { empty_layer: true } : {}),
    });
  }
  return { root, base: start.base, layers, history, plan };
}

/** A root file system that the stage can change as it likes. */
async function startOf(from: StageBase, run: StageRun): Promise<Omit<BuiltStage, "plan">> {
  const { bases } = run.shared;
  switch (from.kind) {
    case "scratch":
      return { root: emptyRootFs(), base: undefined, layers: [], history: [] };
    case "stage": {
      const stage = await stageAt(from.index, run);
      return { ...stage, root: stage.root.clone() };
    }
    case "image":
    case "named": {
      const base = bases.opened(from.key);
      if (base === undefined) return startOfDirectory(from, run);
      const root = await bases.rootFs(from.key);
      return { root: root.clone(), base, layers: [], history: [] };
    }
  }
}

/** A named context that is a directory: its files are the first layer. */
async function startOfDirectory(
  { key, name }: { readonly key: string; readonly name?: string },
  { epoch, placeOf, shared }: StageRun,
): Promise<Omit<BuiltStage, "plan">> {
  const root = emptyRootFs();
  const tree = await shared.bases.tree(key);
  const sources = [{ kind: "path", tree, path: "/" }] as const;
  const entries = copy(root, { sources, destination: "/", match: () => false, now: epoch });
  if (entries.length === 0) return { root, base: undefined, layers: [], history: [] };
  const created = timeText(epoch);
  return {
    root,
    base: undefined,
    layers: [{ entries, epoch, place: placeOf() }],
    history: [{ created, created_by: `FROM ${name ?? key}`, comment: "buildkit.exporter.image.v0" }],
  };
}

/** The entries of the step's layer; `undefined` where it makes none. */
async function entriesOf(step: Step, root: RootFs, run: StageRun): Promise<readonly Entry[] | undefined> {
  const { epoch, shared } = run;
  switch (step.kind) {
    case "metadata":
      return undefined;
    case "workdir": {
      const entries = located(step.at, () => workdirEntries(step, root, epoch));
      // A directory that is there needs no layer; BuildKit writes an empty one.
      return entries.length === 0 ? undefined : entries;
    }
    case "copy": {
      const planned = run.target.checked.get(stepKey(step));
      const laid = planned === undefined ? undefined : layPlanned(planned, step, root, epoch);
      if (laid !== undefined) return laid;
      const tree = await treeOf(step.from, run);
      return located(step.at, () => copyEntries(step, root, tree, epoch));
    }
    case "add": {
      const tree = await treeOf(step.from, run);
      return locatedAsync(step.at, async () => {
        const fetched = new Map<string, WrittenFile>();
        for (const url of step.urls) fetched.set(url, await shared.downloads.fetch(url, step.checksum));
        return addEntries(step, root, tree, epoch, shared.hold, fetched);
      });
    }
  }
}

function workdirEntries(step: WorkdirStep, root: RootFs, now: number): readonly Entry[] {
  const owner =
    step.user === undefined || step.user === "" ? { uid: 0, gid: 0 } : parseOwner(step.user, root);
  return workdir(root, step.path, { owner, now });
}

async function treeOf(from: CopySource, run: StageRun): Promise<SourceTree> {
  const { context, bases } = run.shared;
  switch (from.kind) {
    case "context":
      return context;
    case "scratch":
      return memoryTree({});
    case "stage":
      return (await stageAt(from.index, run)).root;
    case "image":
    case "named":
      return bases.tree(from.key);
  }
}

function stageAt(index: number, { built }: StageRun): Promise<BuiltStage> {
  const stage = built.get(index);
  if (stage === undefined) throw new Error(`stage ${index} is used before it is built`);
  return stage;
}

async function checkExecutables(
  step: Step,
  entries: readonly Entry[],
  { target: { checked }, platform, shared: { executables, workspace } }: StageRun,
): Promise<void> {
  if (executables !== "static" || checked.has(stepKey(step))) return;
  const found = faults();
  for (const refusal of await refusedExecutables(entries, platform, workspace.recipes))
    found.add({ ...refusal, location: step.at });
  found.throwIfAny();
}

/** RFC 3339, in whole seconds. */
export function timeText(epoch: number): string {
  return new Date(epoch * 1000).toISOString().replace(".000Z", "Z");
}
