import type { ImageConfig, Location } from "@undocked/registry";
import type { CopyInstruction, Dockerfile, Stage, StageInstruction } from "../dockerfile/ast.ts";
import { DockerfileError, WordError } from "../dockerfile/error.ts";
import { expand } from "../dockerfile/expand.ts";
import { parseTrigger } from "../dockerfile/parse.ts";
import type { ResolvedFrom } from "./from.ts";
import type { CopySource } from "./plan.ts";
import { resolveImage } from "./references.ts";
import type { Reporter } from "./reporter.ts";

/** An instruction that a stage runs: its own, or a trigger of its base. */
export interface Task {
  readonly instruction: StageInstruction;
  /** For a trigger the FROM. */
  readonly at: Location;
  readonly endLine: number;
  readonly trigger?: string;
  /** Where a COPY reads; absent for other instructions, and where that has a fault. */
  readonly source?: CopySource;
}

/** A stage with what it will do, and what of the others it needs. */
export interface StageNode {
  readonly stage: Stage;
  readonly from: ResolvedFrom;
  readonly tasks: readonly Task[];
  /** What ONBUILD leaves for the stages that begin with this one. */
  readonly triggers: readonly string[];
  readonly dependencies: readonly { readonly index: number; readonly at: Location }[];
}

/** Instructions that are looked at: each trigger counts in every stage that runs it. */
const TASK_LIMIT = 100_000;

/** Links every stage to those that it reads; none of it looks at a variable. */
export function linkStages(
  dockerfile: Dockerfile,
  froms: readonly ResolvedFrom[],
  namedContexts: readonly string[],
  bases: ReadonlyMap<string, ImageConfig>,
  report: Reporter,
): StageNode[] {
  const nodes: StageNode[] = [];
  const names = indexNames(dockerfile.stages);
  const readTrigger = triggerReader();
  let count = 0;
  for (const stage of dockerfile.stages) {
    const from = froms[stage.index];
    if (from === undefined) continue;
    const triggers = triggersOf(from, nodes, bases);
    count += triggers.length + stage.instructions.length;
    if (count > TASK_LIMIT) {
      const message = `the stages have more than ${TASK_LIMIT} instructions, triggers included`;
      report.fault("DOCKERFILE_INVALID", message, stage.from.at);
      break;
    }
    const own = from.replaced ? [] : stage.instructions;
    const context = { names, dockerfile, froms, stage, from, namedContexts, report };
    const tasks = [
      ...triggers.flatMap((text) => triggerTask(text, stage, readTrigger, report)),
      ...own.map((instruction) => ({
        instruction,
        at: instruction.at,
        endLine: instruction.statement.endLine,
      })),
    ].map((task): Task => withSource(task, context));
    const dependencies = [
      ...(from.base?.kind === "stage" ? [{ index: from.base.index, at: stage.from.at }] : []),
      ...tasks.flatMap(({ source, at }) => (source?.kind === "stage" ? [{ index: source.index, at }] : [])),
    ];
    const left = tasks.flatMap(({ instruction }) =>
      instruction.kind === "onbuild" ? [instruction.expression] : [],
    );
    nodes.push({ stage, from, tasks, triggers: left, dependencies });
  }
  return nodes;
}

/** The target and what it needs, in the order of the text. */
export function neededStages(nodes: readonly StageNode[], target: number): StageNode[] {
  const needed = new Set([target]);
  for (const index of needed) {
    for (const dependency of nodes[index]?.dependencies ?? []) needed.add(dependency.index);
  }
  return nodes.filter((_, index) => needed.has(index));
}

/** Refuses a circle of stages anywhere, else what a stage that is needed reads from a stage below it. */
export function refuseOrder(nodes: readonly StageNode[], all: readonly StageNode[], report: Reporter): void {
  const circle = findCircle(all);
  if (circle !== undefined) {
    const name = nameOf(all[circle.index]?.stage);
    report.fault("DOCKERFILE_INVALID", `circular dependency detected on stage: ${name}`, circle.at);
    return;
  }
  for (const { stage, dependencies } of nodes) {
    for (const { index, at } of dependencies) {
      if (index <= stage.index) continue;
      const message = `cannot copy from stage ${JSON.stringify(nameOf(all[index]?.stage))}, it needs to be defined before current stage ${JSON.stringify(nameOf(stage))}`;
      report.fault("DOCKERFILE_INVALID", message, at);
    }
  }
}

function triggersOf(
  { base }: ResolvedFrom,
  nodes: readonly StageNode[],
  bases: ReadonlyMap<string, ImageConfig>,
): readonly string[] {
  if (base === undefined || base.kind === "scratch") return [];
  if (base.kind !== "stage") return bases.get(base.key)?.config?.OnBuild ?? [];
  return nodes[base.index]?.triggers ?? [];
}

/** Reads a trigger once, however many stages run it. */
function triggerReader(): typeof parseTrigger {
  const known = new Map<string, StageInstruction>();
  return (trigger) => {
    const instruction = known.get(trigger) ?? parseTrigger(trigger);
    known.set(trigger, instruction);
    return instruction;
  };
}

function triggerTask(trigger: string, stage: Stage, read: typeof parseTrigger, report: Reporter): Task[] {
  const { at, statement } = stage.from;
  try {
    return [{ instruction: read(trigger), at, endLine: statement.endLine, trigger }];
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    const hint = `The base says ONBUILD ${trigger.split("\n")[0] ?? ""}`;
    report.fault("DOCKERFILE_INVALID", error.message, at, hint);
    return [];
  }
}

interface LinkContext {
  readonly names: ReadonlyMap<string, number>;
  readonly dockerfile: Dockerfile;
  readonly froms: readonly ResolvedFrom[];
  readonly stage: Stage;
  readonly from: ResolvedFrom;
  readonly namedContexts: readonly string[];
  readonly report: Reporter;
}

function withSource(task: Task, context: LinkContext): Task {
  const { instruction } = task;
  if (instruction.kind === "add") return { ...task, source: { kind: "context" } };
  if (instruction.kind !== "copy") return task;
  const source = context.report.attempt(task.at, () => copySource(instruction, context));
  return source === undefined ? task : { ...task, source };
}

function copySource({ from }: CopyInstruction, context: LinkContext): CopySource {
  if (from === undefined) return { kind: "context" };
  if (hasExpansion(from)) {
    throw new WordError(
      "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround",
    );
  }
  const { stages } = context.dockerfile;
  if (/^[+-]?\d+$/.test(from)) {
    const index = Number(from);
    if (stages[index] === undefined) throw new WordError(`invalid stage index ${from}`);
    return { kind: "stage", index };
  }
  const found = context.names.get(from.toLowerCase());
  if (found !== undefined) return { kind: "stage", index: found };
  if (from === "scratch") return { kind: "scratch" };
  return resolveImage(from, context.from.platform, context.namedContexts);
}

/** Of several stages of one name `COPY --from` means the last of all, also above it or inside: that is refused as any other. */
function indexNames(stages: readonly Stage[]): ReadonlyMap<string, number> {
  return new Map(stages.flatMap(({ name, index }) => (name === undefined ? [] : [[name, index] as const])));
}

function hasExpansion(text: string): boolean {
  try {
    return text.includes("$") || expand(text, () => undefined).text !== text;
  } catch (error) {
    if (error instanceof WordError) return true;
    throw error;
  }
}

function nameOf(stage: Stage | undefined): string {
  return stage?.name ?? `stage-${stage?.index}`;
}

/** Follows what each stage reads, the first one first, to where a circle closes. */
function findCircle(nodes: readonly StageNode[]): StageNode["dependencies"][number] | undefined {
  const done = new Set<number>();
  for (const start of nodes.keys()) {
    const path: { index: number; next: number }[] = [{ index: start, next: 0 }];
    const onPath = new Set([start]);
    for (let step = path.at(-1); step !== undefined && !done.has(start); step = path.at(-1)) {
      const dependency = nodes[step.index]?.dependencies[step.next];
      step.next += 1;
      if (dependency === undefined) {
        done.add(step.index);
        onPath.delete(step.index);
        path.pop();
      } else if (onPath.has(dependency.index)) {
        return dependency;
      } else if (!done.has(dependency.index)) {
        path.push({ index: dependency.index, next: 0 });
        onPath.add(dependency.index);
      }
    }
  }
  return undefined;
}
