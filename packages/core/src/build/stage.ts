import type { HistoryEntry } from "@undocked/registry";
import { memoryTree } from "../context/memory-tree.ts";
import type { SourceTree } from "../context/source-tree.ts";
import type { Entry } from "../layer/entry.ts";
import type { BuildPlan, CopySource, StageBase, StagePlan, Step, WorkdirStep } from "../plan/plan.ts";
import { copy } from "../rootfs/copy.ts";
import type { WrittenFile } from "../rootfs/copy-sources.ts";
import { parseOwner } from "../rootfs/owner.ts";
import { emptyRootFs, type RootFs } from "../rootfs/rootfs.ts";
import { workdir } from "../rootfs/workdir.ts";
import type { BaseImage } from "./base.ts";
import type { BasePool } from "./base-pool.ts";
import { addEntries, copyEntries } from "./copy-step.ts";
import type { Downloads } from "./download.ts";
import type { BuildEvent } from "./event.ts";
import { refusedExecutables } from "./executables.ts";
import { faults, located, locatedAsync } from "./faults.ts";
import { stepKey } from "./local-check.ts";
import type { ExecutablePolicy } from "./options.ts";
import type { Scope } from "./scope.ts";
import type { Workspace } from "./workspace.ts";

/** What a stage has come to. */
export interface BuiltStage {
  readonly root: RootFs;
  /** The image at the bottom; `undefined`: scratch. */
  readonly base: BaseImage | undefined;
  /** Over the base, bottom first: the entries of a layer each. */
  readonly layers: readonly (readonly Entry[])[];
  /** The files of these layers, by path. */
  readonly added: readonly string[];
  /** Of the instructions over the base. */
  readonly history: readonly HistoryEntry[];
  readonly plan: StagePlan;
}

export interface StageContext {
  readonly plan: BuildPlan;
  readonly context: SourceTree;
  readonly bases: BasePool;
  readonly workspace: Workspace;
  readonly downloads: Downloads;
  readonly executables: ExecutablePolicy;
  /** Steps whose executables have been judged. */
  readonly checked: ReadonlySet<string>;
  /** Seconds since 1970. */
  readonly epoch: number;
  readonly signal?: AbortSignal;
  readonly emit: (event: BuildEvent) => void;
  readonly hold: Scope["hold"];
}

/** Carries out the stages of a plan, in order, and gives the last. No layer is written: the image may still be refused. */
export async function applyStages(context: StageContext): Promise<BuiltStage> {
  const built = new Map<number, BuiltStage>();
  let last: BuiltStage | undefined;
  for (const stage of context.plan.stages) {
    last = await applyStage(stage, built, context);
    built.set(stage.index, last);
  }
  if (last === undefined) throw new Error("a plan has a stage");
  return last;
}

async function applyStage(
  plan: StagePlan,
  built: ReadonlyMap<number, BuiltStage>,
  context: StageContext,
): Promise<BuiltStage> {
  const start = await startOf(plan.from, built, context);
  const { root } = start;
  const layers = [...start.layers];
  const added = [...start.added];
  const history = [...start.history];
  for (const step of plan.steps) {
    context.signal?.throwIfAborted();
    context.emit({ kind: "step", text: step.createdBy, line: step.at.line });
    const entries = await entriesOf(step, root, built, context);
    if (entries !== undefined) {
      await checkExecutables(step, entries, context);
      layers.push(entries);
    }
    added.push(...filesOf(entries ?? []));
    history.push({
      created: timeText(context.epoch),
      created_by: step.createdBy,
      comment: "buildkit.dockerfile.v0",
      ...(entries === undefined ? { empty_layer: true } : {}),
    });
  }
  return { root, base: start.base, layers, added, history, plan };
}

/** A root file system that the stage can change as it likes. */
async function startOf(
  from: StageBase,
  built: ReadonlyMap<number, BuiltStage>,
  context: StageContext,
): Promise<Omit<BuiltStage, "plan">> {
  switch (from.kind) {
    case "scratch":
      return { root: emptyRootFs(), base: undefined, layers: [], added: [], history: [] };
    case "stage": {
      const stage = stageAt(from.index, built);
      return { ...stage, root: stage.root.clone() };
    }
    case "image":
    case "named": {
      const base = context.bases.opened(from.key);
      if (base === undefined) return startOfDirectory(from, context);
      const root = await context.bases.rootFs(from.key);
      return { root: root.clone(), base, layers: [], added: [], history: [] };
    }
  }
}

/** A named context that is a directory: its files are the first layer. */
async function startOfDirectory(
  { key, name }: { readonly key: string; readonly name?: string },
  context: StageContext,
): Promise<Omit<BuiltStage, "plan">> {
  const root = emptyRootFs();
  const tree = await context.bases.tree(key);
  const sources = [{ kind: "path", tree, path: "/" }] as const;
  const entries = copy(root, { sources, destination: "/", match: () => false, now: context.epoch });
  if (entries.length === 0) return { root, base: undefined, layers: [], added: [], history: [] };
  const created = timeText(context.epoch);
  return {
    root,
    base: undefined,
    layers: [entries],
    added: filesOf(entries),
    history: [{ created, created_by: `FROM ${name ?? key}`, comment: "buildkit.exporter.image.v0" }],
  };
}

/** The entries of the step's layer; `undefined` where it makes none. */
async function entriesOf(
  step: Step,
  root: RootFs,
  built: ReadonlyMap<number, BuiltStage>,
  context: StageContext,
): Promise<readonly Entry[] | undefined> {
  switch (step.kind) {
    case "metadata":
      return undefined;
    case "workdir": {
      const entries = located(step.at, () => workdirEntries(step, root, context.epoch));
      // A directory that is there needs no layer; BuildKit writes an empty one.
      return entries.length === 0 ? undefined : entries;
    }
    case "copy": {
      const tree = await treeOf(step.from, built, context);
      return located(step.at, () => copyEntries(step, root, tree, context.epoch));
    }
    case "add": {
      const tree = await treeOf(step.from, built, context);
      return locatedAsync(step.at, async () => {
        const fetched = new Map<string, WrittenFile>();
        for (const url of step.urls) fetched.set(url, await context.downloads.fetch(url, step.checksum));
        return addEntries(step, root, tree, context.epoch, context.hold, fetched);
      });
    }
  }
}

function workdirEntries(step: WorkdirStep, root: RootFs, now: number): Entry[] {
  const owner =
    step.user === undefined || step.user === "" ? { uid: 0, gid: 0 } : parseOwner(step.user, root);
  return workdir(root, step.path, { owner, now });
}

async function treeOf(
  from: CopySource,
  built: ReadonlyMap<number, BuiltStage>,
  { context, bases }: StageContext,
): Promise<SourceTree> {
  switch (from.kind) {
    case "context":
      return context;
    case "scratch":
      return memoryTree({});
    case "stage":
      return stageAt(from.index, built).root;
    case "image":
    case "named":
      return bases.tree(from.key);
  }
}

function filesOf(entries: readonly Entry[]): string[] {
  return entries.flatMap(({ kind, path }) => (kind === "file" ? [`/${path}`] : []));
}

function stageAt(index: number, built: ReadonlyMap<number, BuiltStage>): BuiltStage {
  const stage = built.get(index);
  if (stage === undefined) throw new Error(`stage ${index} is used before it is built`);
  return stage;
}

async function checkExecutables(
  step: Step,
  entries: readonly Entry[],
  { executables, checked, plan, workspace }: StageContext,
): Promise<void> {
  if (executables !== "static" || checked.has(stepKey(step))) return;
  const found = faults();
  for (const refusal of await refusedExecutables(entries, plan.platform, workspace.recipes))
    found.add({ ...refusal, location: step.at });
  found.throwIfAny();
}

/** RFC 3339, in whole seconds. */
export function timeText(epoch: number): string {
  return new Date(epoch * 1000).toISOString().replace(".000Z", "Z");
}
