import { setFlagsFromString } from "node:v8";
import { nodeMajor } from "./node-version.ts";

/** Twelve times what V8 waits for by itself. */
const LATE: ReadonlyMap<number, string> = new Map([
  [20, "--interrupt-budget=811008"],
  [22, "--invocation-count-for-turbofan=36000"],
]);

/**
 * Has V8 optimize what runs for long, and no more. Most commands are over in a second or two: until then the optimizing compiler
 * takes more of the processors, and of memory, than its code gives back. From Node 24 on a faster compiler comes before it, and
 * it makes no difference.
 */
export function optimizeLate(versions: NodeJS.ProcessVersions = process.versions): void {
  const flag = LATE.get(nodeMajor(versions) ?? 0);
  if (flag !== undefined) setFlagsFromString(flag);
}
