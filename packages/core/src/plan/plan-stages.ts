import {
  defaultPlatform,
  normalizePlatform,
  type Diagnostic,
  type ImageConfig,
  type Platform,
} from "@undocked/registry";
import type { Dockerfile, Stage } from "../dockerfile/ast.ts";
import { throwFaults, type Fault } from "../dockerfile/error.ts";
import { didYouMean } from "../dockerfile/suggest.ts";
import { Budget } from "./budget.ts";
import { runInstructions } from "./run-instructions.ts";
import { applyEntrypoint } from "./entrypoint.ts";
import { readEpoch } from "./epoch.ts";
import { checkBasePlatform, resolveFroms } from "./from.ts";
import { readGlobalArgs } from "./global-args.ts";
import { linkStages, neededStages, refuseOrder, type StageNode } from "./graph.ts";
import type { PlanOptions } from "./options.ts";
import type { BuildPlan, StageBase, StagePlan } from "./plan.ts";
import { Reporter } from "./reporter.ts";
import { requiredBases } from "./required-bases.ts";
import { StagePlanner, type PlanContext, type StageStart } from "./stage-planner.ts";
import { checkText } from "./text-checks.ts";
import { warnOfUnusedArgs } from "./unused-args.ts";

/**
 * Decides what a Dockerfile does, from its text, the options and the configurations of its bases.
 *
 * `bases` maps the `key` of a {@link BuildPlan.requiredBases} to the image's configuration. A base that is not in it
 * is not known yet: its stages are planned as far as that goes, so that all other faults are found before anything
 * is fetched; then plan again with the configurations.
 *
 * @throws {DockerfileError} with every fault of the stages that the target needs in `diagnostics`
 */
export function planStages(
  dockerfile: Dockerfile,
  options: PlanOptions,
  bases: ReadonlyMap<string, ImageConfig>,
): BuildPlan {
  const { plan, faults } = attemptStages(dockerfile, options, bases);
  throwFaults(faults);
  return plan;
}

/** A plan as far as it goes, and what is wrong with it. */
export interface AttemptedPlan {
  /** Has the steps that are not at fault. */
  readonly plan: BuildPlan;
  /** In the order of the text. */
  readonly faults: readonly Fault[];
}

/** As {@link planStages}, for who goes on to look for other faults. */
export function attemptStages(
  dockerfile: Dockerfile,
  options: PlanOptions,
  bases: ReadonlyMap<string, ImageConfig>,
): AttemptedPlan {
  const report = new Reporter(dockerfile, options.buildArgs ?? {});
  const plan = plannedStages(dockerfile, options, bases, report);
  report.refuseViolations();
  return { plan: { ...plan, warnings: sorted(report.warnings) }, faults: sorted(report.faults) };
}

/** Everything that a plan would refuse or warn of, as `undocked build --check` shows it; throws nothing. */
export function checkDockerfile(
  dockerfile: Dockerfile,
  options: PlanOptions = {},
  bases: ReadonlyMap<string, ImageConfig> = new Map(),
): readonly Diagnostic[] {
  const report = new Reporter(dockerfile, options.buildArgs ?? {});
  plannedStages(dockerfile, options, bases, report);
  report.refuseViolations();
  return sorted([...report.faults, ...report.warnings]);
}

function plannedStages(
  dockerfile: Dockerfile,
  options: PlanOptions,
  bases: ReadonlyMap<string, ImageConfig>,
  report: Reporter,
): Omit<BuildPlan, "warnings"> {
  checkText(dockerfile, report);
  const target = findTarget(dockerfile.stages, options.target, report);
  const platform = normalizePlatform(options.platform ?? defaultPlatform);
  const budget = new Budget();
  // As the caller wrote it.
  const targetStage = options.target || (target?.name ?? "default");
  const globals = readGlobalArgs(dockerfile, options, platform, targetStage, budget, report);
  const froms = resolveFroms(dockerfile, options, platform, globals, report);
  const nodes = linkStages(dockerfile, froms, options.namedContexts ?? [], bases, report);
  const needed = target === undefined ? [] : neededStages(nodes, target.index);
  refuseOrder(needed, nodes, report);
  const context: PlanContext = { dockerfile, options, globals, report, budget };
  const planners = new Map<number, StagePlanner>();
  const stages: StagePlan[] = [];
  for (const node of needed) {
    const start = startOf(node, planners, bases);
    const planner = report.attempt(node.stage.from.at, () => new StagePlanner(context, node, start));
    if (planner === undefined) break;
    checkBase(node, bases, report);
    runInstructions(planner);
    planners.set(node.stage.index, planner);
    const isTarget = node === needed.at(-1);
    if (isTarget) {
      for (const [key, value] of Object.entries(options.labels ?? {})) planner.config.labels.set(key, value);
      applyEntrypoint(planner, options.entrypoint);
    }
    stages.push(planner.finish(node.from.base ?? { kind: "scratch" }));
  }
  for (const node of nodes) if (!needed.includes(node)) refuseName(node, report);
  const epoch = readEpoch(dockerfile, options, globals, report);
  const provisional = stages.some((stage) => stage.provisional);
  warnOfUnusedArgs(dockerfile, nodes, globals, options, provisional, report);
  return {
    stages,
    platform: options.platform === undefined ? basePlatform(needed, nodes, bases, platform) : platform,
    requiredBases: requiredBases(needed),
    provisional,
    ...(epoch === undefined ? {} : { sourceDateEpoch: epoch }),
  };
}

/** Stages that a hint lists. */
const MOST_NAMED = 10;

function findTarget(
  stages: readonly Stage[],
  target: string | undefined,
  report: Reporter,
): Stage | undefined {
  if (target === undefined || target === "") return stages.at(-1);
  const found = stages.findLast(({ name }) => name === target.toLowerCase());
  if (found !== undefined) return found;
  const names = stages.flatMap(({ name }) => name ?? []);
  const meant = report.suggest(target.toLowerCase(), names);
  const message = `target stage ${JSON.stringify(target)} could not be found${didYouMean(meant)}`;
  const hint =
    names.length === 0
      ? "Give a stage that name: FROM … AS NAME."
      : `Name one of the stages: ${names.slice(0, MOST_NAMED).join(", ")}.`;
  report.fault("DOCKERFILE_INVALID", message, undefined, hint);
  return undefined;
}

function startOf(
  { from }: StageNode,
  planners: ReadonlyMap<number, StagePlanner>,
  bases: ReadonlyMap<string, ImageConfig>,
): StageStart {
  const { base } = from;
  if (base === undefined) return { kind: "unknown" };
  if (base.kind === "scratch") return { kind: "config", config: { WorkingDir: "/" } };
  if (base.kind === "stage") {
    const parent = planners.get(base.index);
    return parent === undefined ? { kind: "unknown" } : { kind: "stage", parent };
  }
  const image = bases.get(base.key);
  if (image === undefined) return { kind: "unknown" };
  const author = image.author === undefined ? {} : { author: image.author };
  return { kind: "config", config: image.config ?? {}, ...author };
}

function checkBase(
  { stage, from }: StageNode,
  bases: ReadonlyMap<string, ImageConfig>,
  report: Reporter,
): void {
  const { base, platform, written } = from;
  refuseName({ stage, from }, report);
  const image = base === undefined ? undefined : imageOf(base, bases);
  // A variant is no reason to warn.
  if (image === undefined || (platform.os === image.os && platform.architecture === image.architecture))
    return;
  checkBasePlatform(written, platform, platformOf(image), stage.from.at, report);
}

/** A base's name that is none, also of a stage that nobody needs. */
function refuseName({ stage, from: { problem } }: Pick<StageNode, "stage" | "from">, report: Reporter): void {
  if (problem !== undefined) {
    report.fault("DOCKERFILE_INVALID", problem.message, stage.from.at, problem.hint);
  }
}

function imageOf(base: StageBase, bases: ReadonlyMap<string, ImageConfig>): ImageConfig | undefined {
  return base.kind === "image" || base.kind === "named" ? bases.get(base.key) : undefined;
}

function platformOf({ architecture, os, variant, "os.version": version }: ImageConfig): Platform {
  return {
    architecture,
    os,
    ...(version === undefined ? {} : { "os.version": version }),
    ...(variant === undefined ? {} : { variant }),
  };
}

/** When nobody asks for a platform, the result has that of the image it was built on. */
function basePlatform(
  needed: readonly StageNode[],
  nodes: readonly StageNode[],
  bases: ReadonlyMap<string, ImageConfig>,
  fallback: Platform,
): Platform {
  let node = needed.at(-1);
  while (node?.from.base?.kind === "stage" && node.from.base.index < node.stage.index) {
    node = nodes[node.from.base.index];
  }
  const base = node?.from.base;
  const image = base === undefined ? undefined : imageOf(base, bases);
  if (image !== undefined) return normalizePlatform(platformOf(image));
  return base?.kind === "image" || base?.kind === "named" ? base.platform : fallback;
}

/** In the order of the text; what has no place is first. */
function sorted<Kind extends Diagnostic>(diagnostics: readonly Kind[]): Kind[] {
  return diagnostics.toSorted((a, b) => (a.location?.line ?? 0) - (b.location?.line ?? 0));
}
