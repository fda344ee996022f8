export type { Observation } from "./agent.ts";
export { ProbeError } from "./probe-error.ts";
export { probeImage, type ProbeOptions, type ProbeResult } from "./probe-image.ts";
