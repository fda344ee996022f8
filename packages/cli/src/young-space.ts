import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** Bytes of both its halves. With less, more objects are taken for old ones before they are done with. */
const ENOUGH = 16 * 1024 * 1024;

const LOOK_MS = 20;

/** Those of which it is known that they have the flag: another would complain of it. */
const OLDEST_MAJOR = 20;
const NEWEST_MAJOR = 26;

/**
 * Keeps V8's space for young objects from growing beyond 16 MiB, for as long as the process lasts. By itself it takes 32 MiB,
 * and 64 from Node 24 on, by which no command becomes faster.
 *
 * V8 hears of a limit at its start alone, where nobody asks us. By how much it may grow it looks up each time.
 */
export function limitYoungSpace(versions: NodeJS.ProcessVersions = process.versions): void {
  if (!hasGrowthFactor(versions)) return;
  let mayGrow = true;
  setInterval(() => {
    const isSmall = youngSpace() < ENOUGH;
    if (isSmall === mayGrow) return;
    mayGrow = isSmall;
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? 2 : 1}`);
  }, LOOK_MS).unref();
}

function hasGrowthFactor(versions: NodeJS.ProcessVersions): boolean {
  const major = Number.parseInt(versions.node, 10);
  const isOther = "bun" in versions || "deno" in versions;
  return !isOther && major >= OLDEST_MAJOR && major <= NEWEST_MAJOR;
}

/** Bytes. */
function youngSpace(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")?.space_size ?? 0;
}
