import { resolve } from "node:path";
import { defaultPlatform, formatPlatform, type Platform } from "@undocked/registry";
import { directoryTree } from "../context/directory-tree.ts";
import type { Dockerfile } from "../dockerfile/ast.ts";
import type { IgnoreMatcher } from "../dockerfile/ignore.ts";
import { throwFaults, type Fault } from "../dockerfile/error.ts";
import { parseDockerfile } from "../dockerfile/parse.ts";
import type { PlanOptions } from "../plan/options.ts";
import { attemptStages } from "../plan/plan-stages.ts";
import type { BuildPlan } from "../plan/plan.ts";
import { faults, type Faults } from "./faults.ts";
import type { BuildInput, DockerfileText } from "./input.ts";
import { checkLocally } from "./local-check.ts";
import { parseNamedContext } from "./named-context.ts";
import { readNamed, type NamedInput } from "./named-input.ts";
import type { BuildOptions } from "./options.ts";
import { mergeFindings, type PlatformFindings } from "./platform-faults.ts";
import type { PlannedStep } from "./planned-copy.ts";
import { openRecipes } from "./workspace.ts";

/** What was found to be in order before anything was fetched. */
export interface CheckedInput extends Required<
  Pick<BuildInput, "context" | "ignore" | "mapped" | "project">
> {
  readonly dockerfile: Dockerfile;
  /** One for each platform, in the order they were asked for. */
  readonly targets: readonly CheckedTarget[];
}

export interface CheckedTarget {
  /** `os/architecture[/variant]`, where there are several. */
  readonly name?: string;
  readonly planOptions: PlanOptions;
  /** Made without knowing the bases. */
  readonly plan: BuildPlan;
  /** Steps that have been looked at. */
  readonly steps: ReadonlyMap<string, PlannedStep>;
}

/**
 * Finds what can be found without the network.
 *
 * @throws {UndockedError} with every fault
 */
export async function checkInput(
  options: BuildOptions,
  { input, platforms, found }: NamedInput = readNamed(options),
): Promise<CheckedInput> {
  const dockerfile = parsed(input.dockerfile, found);
  for (const [name, value] of Object.entries(options.namedContexts ?? {}))
    found.collect(() => checkNamedContext(name, value, input.project));
  const targets: CheckedTarget[] = [];
  const findings: PlatformFindings[] = [];
  for (const platform of platforms) {
    const own = platforms.length === 1 ? found : faults();
    const target = await checkTarget(platform, { ...input, dockerfile }, options, own);
    const name = formatPlatform(platform ?? defaultPlatform);
    if (target !== undefined) targets.push(platforms.length === 1 ? target : { name, ...target });
    if (own !== found) findings.push({ platform: name, found: own.all() });
  }
  for (const finding of mergeFindings(findings, "plain")) found.add(finding);
  found.throwIfAny();
  const { context, ignore, mapped, project } = input;
  if (!dockerfile || !context || !ignore || !mapped) throw found.error();
  return { dockerfile, context, ignore, mapped, project, targets };
}

/** The Dockerfile of a text that was found. */
export function parsed(source: DockerfileText | undefined, found: Faults): Dockerfile | undefined {
  if (source === undefined) return undefined;
  return found.collect(() => parseDockerfile(source.text, { file: source.file }));
}

/** What there is to do for one platform; `undefined` where that cannot be said. */
async function checkTarget(
  platform: Platform | undefined,
  {
    dockerfile,
    context,
    partial,
    ignore,
  }: Pick<BuildInput, "context" | "partial" | "ignore"> & { readonly dockerfile: Dockerfile | undefined },
  options: BuildOptions,
  found: Faults,
): Promise<CheckedTarget | undefined> {
  if (dockerfile === undefined) return undefined;
  const planOptions = planOptionsOf(options, platform, ignore);
  const { plan, faults: planFaults } = attemptStages(dockerfile, planOptions, new Map());
  found.collect(() => throwFaults(planFaults));
  const looked = context === undefined ? partial : { tree: context, unknown: [], isFiltered: true };
  if (looked === undefined) return undefined;
  // What a FROM was to say of the platform may be what is at fault.
  const { executables = "static" } = planFaults.some(isOfBases(dockerfile))
    ? ({ executables: "any" } as const)
    : options;
  const steps = await checkLocally(plan, looked, executables, found, openRecipes(options));
  return { planOptions, plan, steps };
}

/** Whether a fault is of a FROM, or of an ARG that stands before them. */
function isOfBases({ globalArgs, stages }: Dockerfile): (fault: Fault) => boolean {
  const lines = new Set([...globalArgs, ...stages.map(({ from }) => from)].map(({ at }) => at.line));
  return ({ location }) => location !== undefined && lines.has(location.line);
}

export function planOptionsOf(
  options: BuildOptions,
  platform: Platform | undefined,
  ignore: IgnoreMatcher | undefined,
): PlanOptions {
  const { buildArgs, labels, target, entrypoint, sourceDateEpoch, namedContexts } = options;
  return {
    ...(platform === undefined ? {} : { platform }),
    ...(ignore === undefined ? {} : { ignore }),
    ...(buildArgs === undefined ? {} : { buildArgs }),
    ...(labels === undefined ? {} : { labels }),
    ...(target === undefined ? {} : { target }),
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(sourceDateEpoch === undefined ? {} : { sourceDateEpoch }),
    ...(namedContexts === undefined ? {} : { namedContexts: Object.keys(namedContexts) }),
  };
}

/** A directory that is not there is told before anything is fetched. */
function checkNamedContext(name: string, value: string, project: string): void {
  const context = parseNamedContext(name, value);
  if (context.kind === "directory") directoryTree(resolve(project, context.path));
}
