import { checkBuild, planBuild, type BuildOptions } from "@undocked/core";
import type { Io } from "./io.ts";
import { renderDiagnostic } from "./render/error.ts";
import { renderPlan } from "./render/plan.ts";
import { jsonText } from "./render/json.ts";

/* What a build would do. Apart from the building, which needs little of this when there is nothing to do. */

/** Tells the plan, or the plans for several platforms: as JSON the plan, or an array of them. */
export async function showPlans(options: BuildOptions, form: "text" | "json", io: Io): Promise<number> {
  const { plans } = await planBuild(options);
  const warnings = new Set(plans.flatMap(({ warnings }) => warnings.map(renderDiagnostic)));
  for (const warning of warnings) io.stderr.write(warning);
  const json = (): string => jsonText(plans.length === 1 ? plans[0] : plans);
  io.stdout.write(form === "json" ? json() : plans.map(renderPlan).join("\n"));
  return 0;
}

/** Tells what is to be said of the Dockerfile. As docker has it: a warning is a failure here. */
export function showChecks(options: BuildOptions, io: Io): number {
  const found = checkBuild(options);
  for (const diagnostic of found) io.stderr.write(renderDiagnostic(diagnostic));
  io.stdout.write(`${found.length === 0 ? "Nothing" : found.length} to tell of the Dockerfile.\n`);
  return found.length === 0 ? 0 : 1;
}
