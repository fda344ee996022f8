import { formatPlatform, type Diagnostic } from "@undocked/registry";
import type { MappedTree } from "../context/mapped-tree.ts";
import type { BuildPlan } from "../plan/plan.ts";
import type { Proof } from "../preflight/proof.ts";
import { assembleIndex } from "./assemble.ts";
import { basePool } from "./base-pool.ts";
import type { BuiltImage, PlatformImage } from "./built-image.ts";
import type { CheckedInput, CheckedTarget } from "./check-input.ts";
import { completePlans } from "./complete-plan.ts";
import { earlyPush, pushImage, writeOutput, type Delivery } from "./deliver.ts";
import { downloads } from "./download.ts";
import type { BuildEvent } from "./event.ts";
import { finalBase } from "./final-base.ts";
import {
  finishImage,
  imageSource,
  originsOf,
  outputSource,
  ownLayers,
  type FinishedImage,
} from "./finished-image.ts";
import { treeOptions } from "./input.ts";
import { checkOffline } from "./offline-check.ts";
import type { BuildOptions } from "./options.ts";
import { mergeFindings } from "./platform-faults.ts";
import { proveStarts } from "./prove-start.ts";
import { namedBases, type BuildRecords } from "./record.ts";
import type { Scope } from "./scope.ts";
import { applyStages, type BuiltStage } from "./stage.ts";
import { formatTagged } from "./tagged-reference.ts";
import { wholeLayers } from "./whole-layers.ts";
import { clientOptions, type Workspace } from "./workspace.ts";
import { writeLayers } from "./write-layers.ts";

/** A build that may begin. */
export interface Build {
  readonly options: BuildOptions;
  readonly checked: CheckedInput;
  readonly workspace: Workspace;
  readonly signal: AbortSignal;
  readonly hold: Scope["hold"];
  /** Of what came before. */
  readonly warnings: readonly Diagnostic[];
  readonly records: BuildRecords | undefined;
}

/** Makes the image, and delivers it. */
export async function carryOut({
  options,
  checked,
  workspace,
  signal,
  hold,
  warnings: earlier,
  records,
}: Build): Promise<BuiltImage> {
  const { executables = "static", timestamps = "epoch", compression, onEvent } = options;
  const { manifest: manifestAnnotations, index: indexAnnotations } = options.annotations ?? {};
  const { outputs = [], namedContexts = {} } = options;
  const { context, mapped, project, targets } = checked;
  const events: BuildEvent[] = [];
  const emit = (event: BuildEvent): void => {
    if (isOfBuild(event)) events.push(event);
    onEvent?.(event);
  };
  const call = { signal };
  const files = treeOptions(options);
  const wanted = wholeLayers(options, workspace);
  const bases = hold(basePool({ hold, workspace, project, namedContexts, files, call, emit, whole: wanted }));
  const plans = await completePlans(checked, bases);
  wanted.below(plans.flatMap((plan) => finalBase(plan, bases) ?? []));
  await checkOffline(plans, bases, workspace, outputs.length === 0 ? "files" : "files and layers");
  const stages = await applyStages(
    plans.map((plan, position) => ({ plan, checked: judgedSteps(plan, targets[position]) })),
    {
      context,
      bases,
      workspace,
      downloads: hold(downloads(call, workspace, clientOptions(options.registry))),
      executables,
      emit,
      hold,
      signal,
    },
  );
  const { proofs, warnings: doubts } = await proveStarts(stages, plans, bases, options);
  const tags = (options.tags ?? []).map(formatTagged);
  await using early =
    options.push === true
      ? earlyPush(workspace, tags, { ...call, emit, hasOutputs: outputs.length > 0 })
      : undefined;
  const layers = await writeLayers(
    stages.flatMap((stage) => stage.layers),
    {
      store: workspace.content,
      ...(early === undefined ? {} : { sink: early.sink }),
      directory: workspace.directory,
      recipes: workspace.recipes,
      timestamps,
      ...(compression === undefined ? {} : { compression }),
      emit,
      signal,
    },
  );
  const finished = stages.map((stage, position) => {
    const { platform = stage.plan.platform, sourceDateEpoch: epoch = 0 } = plans[position] ?? {};
    const annotations = manifestAnnotations === undefined ? {} : { annotations: manifestAnnotations };
    return finishImage(stage, { platform, epoch, layers, ...annotations });
  });
  const index = finished.length === 1 ? undefined : assembleIndex(finished, indexAnnotations);
  const images = finished.map((image, position) => platformImage(image, proofs[position]));
  const [first] = images;
  if (first === undefined) throw new Error("a build is for a platform");
  const told = plans.map(({ platform, warnings }) => ({
    platform: formatPlatform(platform),
    found: warnings,
  }));
  const warnings = [...earlier, ...mergeFindings(told, "plain"), ...unusedMappings(mapped), ...doubts];
  for (const warning of warnings) emit({ kind: "warning", warning });
  const { root } = index ?? first;
  const result = { root, images, ...(index === undefined ? {} : { index: index.index }), warnings };
  const named = records === undefined ? undefined : namedBases(plans, bases);
  const recorded =
    named === undefined
      ? undefined
      : records?.keep({ latest: latestTime(stages, timestamps), bases: named, events, result });
  const source = imageSource(finished, index, workspace);
  const origins = originsOf(finished);
  const delivery: Delivery = {
    root,
    source,
    emit,
    origins,
    documents: ownLayers(finished, index),
    signal,
    answerOf: (repository, blob) => wanted.answerOf(repository, blob),
  };
  const whole = { ...delivery, source: outputSource(finished, index, workspace) };
  const delivered = (async () => {
    for (const output of outputs) await writeOutput(whole, output, tags);
    return options.push === true ? await pushImage(delivery, tags, workspace.client, early) : [];
  })();
  // Whichever fails, nothing goes on after the build.
  await Promise.allSettled([delivered, recorded]);
  const pushed = await delivered;
  await recorded;
  const { platform: _, ...ofFirst } = first;
  return {
    ...ofFirst,
    ...result,
    digest: root.digest,
    tags,
    pushed,
    store: early?.behind(source) ?? source,
    [Symbol.asyncDispose]: () => workspace[Symbol.asyncDispose](),
  };
}

/** Of what the files' times are cut to. */
function latestTime(stages: readonly BuiltStage[], timestamps: BuildOptions["timestamps"]): number {
  if (timestamps === "preserve") return Number.MAX_SAFE_INTEGER;
  return Math.max(0, ...stages.flatMap(({ layers }) => layers.map(({ epoch }) => epoch)));
}

/** Whether it would be told of the same build another time, wherever its image goes. */
function isOfBuild({ kind }: BuildEvent): boolean {
  return kind === "base" || kind === "step" || kind === "layer" || kind === "warning";
}

/** What was judged for another platform is judged again: the base may have decided otherwise. */
function judgedSteps(plan: BuildPlan, target: CheckedTarget | undefined): CheckedTarget["steps"] {
  return target !== undefined && formatPlatform(plan.platform) === formatPlatform(target.plan.platform)
    ? target.steps
    : new Map();
}

function platformImage(
  { platform, root, manifest, config }: FinishedImage,
  proof: Proof | undefined,
): PlatformImage {
  return {
    platform,
    root,
    digest: root.digest,
    manifest,
    config,
    layers: manifest.layers,
    ...(proof === undefined ? {} : { proof }),
  };
}

function unusedMappings(mapped: MappedTree): Diagnostic[] {
  return mapped.unusedMappings().map(({ from, to }) => ({
    code: "MAPPING_UNUSED",
    severity: "warning",
    message: `No COPY takes ${to}, which ${from} is mapped to: it is not in the image.`,
    hint: `Add COPY ${to} to the Dockerfile, or leave the mapping away.`,
  }));
}
