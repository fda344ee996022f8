export { checkNames, type CheckName } from "./check-names.ts";
export type { PlanOptions } from "./options.ts";
export type * from "./plan.ts";
export { checkDockerfile, planStages } from "./plan-stages.ts";
