import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from "node:v8";
import { nodeMajor } from "./node-version.ts";

const MIB = 1024 * 1024;

/** Bytes of both its halves: no command becomes faster with more. */
const MOST = 16 * MIB;

/** Twice what V8 begins with. */
const LEAST = 2 * MIB;

/** What the program has on the heap before it has anything to do. */
const PROGRAM = 14 * MIB;

const LOOK_MS = 20;

/** Those of which it is known that they have the flag: another would complain of it. */
const OLDEST_MAJOR = 20;
const NEWEST_MAJOR = 26;

/**
 * Keeps V8's space for young objects no larger than what the work has on the heap, for as long as the process lasts. By itself it
 * grows to 32 MiB, and to 64 from Node 24 on. Whoever only streams leaves little behind, and a small space gives back the memory
 * of buffers soon; where many objects stay, a small one would take too many for old before they are done with.
 *
 * V8 hears of a limit at its start alone, where nobody asks us. By how much it may grow it looks up each time.
 */
export function limitYoungSpace(versions: NodeJS.ProcessVersions = process.versions): void {
  if (!hasGrowthFactor(versions)) return;
  let mayGrow: boolean | undefined;
  const look = (): void => {
    const isSmall = youngSpace() < enough();
    if (isSmall === mayGrow) return;
    mayGrow = isSmall;
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`);
  };
  look();
  setInterval(look, LOOK_MS).unref();
}

/** Bytes. */
function enough(): number {
  const ofWork = getHeapStatistics().used_heap_size - PROGRAM;
  return Math.min(Math.max(ofWork, LEAST), MOST);
}

function hasGrowthFactor(versions: NodeJS.ProcessVersions): boolean {
  const major = nodeMajor(versions);
  return major !== undefined && major >= OLDEST_MAJOR && major <= NEWEST_MAJOR;
}

/** Bytes. */
function youngSpace(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")?.space_size ?? 0;
}
