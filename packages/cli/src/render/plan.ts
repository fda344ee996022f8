import type { BuildPlan, StagePlan, Step } from "@undocked/core";
import { formatPlatform } from "@undocked/registry";
import { visible } from "./error.ts";

/** What a build would do, as people read it: each stage, its instructions with their lines, and what it ends with. */
export function renderPlan(plan: BuildPlan): string {
  const { stages, platform, sourceDateEpoch } = plan;
  const target = stages.at(-1);
  return [
    `platform ${formatPlatform(platform)}`,
    ...(sourceDateEpoch === undefined ? [] : [`times ${sourceDateEpoch}`]),
    ...stages.flatMap((stage) => ["", ...stageLines(stage, plan)]),
    "",
    "config",
    ...Object.entries(target?.config ?? {}).map(([key, value]) => `  ${key} ${JSON.stringify(value)}`),
    "",
  ]
    .map(visible)
    .join("\n");
}

function stageLines({ index, name, from, steps, at }: StagePlan, { requiredBases }: BuildPlan): string[] {
  const base =
    from.kind === "scratch"
      ? "scratch"
      : from.kind === "stage"
        ? `stage ${from.index}`
        : (requiredBases.find(({ key }) => key === from.key)?.reference ?? from.key);
  return [
    `stage ${index}${name === undefined ? "" : ` ${name}`} from ${base} (line ${at.line})`,
    ...steps.map((step) => `  ${String(step.at.line).padStart(4)}  ${effect(step)}  ${step.createdBy}`),
  ];
}

/** A WORKDIR makes a layer unless its directory is there. */
function effect({ kind }: Step): string {
  switch (kind) {
    case "metadata":
      return "config";
    case "workdir":
      return "layer?";
    case "add":
    case "copy":
      return "layer ";
  }
}
