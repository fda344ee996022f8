export * from "./dockerfile/index.ts";
export * from "./plan/index.ts";
export { checkBuild, planBuild } from "./build/plan-build.ts";
