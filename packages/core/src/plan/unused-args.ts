import type { Dockerfile } from "../dockerfile/ast.ts";
import { didYouMean } from "../dockerfile/suggest.ts";
import type { GlobalArgs } from "./global-args.ts";
import type { StageNode } from "./graph.ts";
import type { PlanOptions } from "./options.ts";
import type { Reporter } from "./reporter.ts";

/** Names that mean something without an ARG. */
const KNOWN = /^(https?_proxy|ftp_proxy|no_proxy|all_proxy|SOURCE_DATE_EPOCH|BUILDKIT_.*)$/i;

/** Warns of a build argument that no ARG takes; an unknown base could have a trigger that does. */
export function warnOfUnusedArgs(
  dockerfile: Dockerfile,
  nodes: readonly StageNode[],
  globals: GlobalArgs,
  { buildArgs = {} }: PlanOptions,
  provisional: boolean,
  report: Reporter,
): void {
  if (provisional) return;
  const declared = new Set([...globals.declared, ...globals.predefined]);
  const own = dockerfile.stages.flatMap(({ instructions }) => instructions);
  const triggered = nodes.flatMap(({ tasks }) => tasks.map(({ instruction }) => instruction));
  for (const instruction of [...own, ...triggered]) {
    if (instruction.kind !== "arg") continue;
    for (const { key } of instruction.args) declared.add(key);
  }
  for (const name of Object.keys(buildArgs)) {
    if (declared.has(name) || KNOWN.test(name)) continue;
    const meant = didYouMean(report.suggest(name, declared));
    report.warn("BUILD_ARG_UNUSED", `No ARG takes the build argument ${name}${meant}`);
  }
}
