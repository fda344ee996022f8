import type { CommandLine } from "../dockerfile/ast.ts";
import { WordError } from "../dockerfile/error.ts";
import { expand } from "../dockerfile/expand.ts";
import type { PlanOptions } from "./options.ts";
import type { StagePlanner } from "./stage-planner.ts";

const VARIABLE = "ENTRYPOINT";

/** Does to the target what the caller's `entrypoint` says, and warns of a `$ENTRYPOINT` that nothing sets. */
export function applyEntrypoint(stage: StagePlanner, entrypoint: PlanOptions["entrypoint"]): void {
  const { config, context } = stage;
  if (typeof entrypoint === "string") config.env.set(VARIABLE, entrypoint);
  else if (entrypoint !== undefined) {
    const { override } = entrypoint;
    const words = typeof override === "string" ? splitCommand(override, stage) : override;
    config.entrypoint = words;
    if (!stage.cmdSet) config.cmd = undefined;
    return;
  }
  if (config.env.has(VARIABLE) || stage.provisional) return;
  for (const keyword of ["ENTRYPOINT", "CMD"] as const) {
    const last = stage.once.get(keyword);
    const { instruction } = last ?? {};
    if (instruction?.kind !== "entrypoint" && instruction?.kind !== "cmd") continue;
    if (last === undefined || !usesVariable(instruction.command)) continue;
    context.report.warn(
      "ENTRYPOINT_UNSET",
      `${keyword} uses $${VARIABLE}, which nothing sets: unless it is set when the container starts, it runs nothing.`,
      last.at,
      "Set the entrypoint option, or ENV ENTRYPOINT.",
    );
  }
}

function usesVariable(command: CommandLine): boolean {
  return command.form === "shell" && /\$(ENTRYPOINT(?!\w)|\{ENTRYPOINT[^\w])/.test(command.text);
}

/** As a shell splits words: quotes group, variables are left to the container. */
function splitCommand(text: string, stage: StagePlanner): readonly string[] {
  try {
    return expand(text, () => undefined, { unset: "keep" }).words;
  } catch (error) {
    if (!(error instanceof WordError)) throw error;
    stage.context.report.fault("DOCKERFILE_INVALID", `entrypoint: ${error.message}`, undefined, error.hint);
    return [];
  }
}
