import type { BigIntStats } from "node:fs";

/** A name for the state of a file of the machine: another content has another, unless it came within a tick of the clock. */
export function fileState({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  // Joined, it is one text in memory; a template's stays in its parts.
  return ["stat", dev, ino, size, mtimeNs, ctimeNs].join(":");
}

/** Whether two states of a path are of one file with one size and time: what else differs says nothing of the content. */
export function seemsUnchanged(one: string, other: string): boolean {
  return contentOf(one) === contentOf(other);
}

/** Inode, size and time. */
function contentOf(state: string): string {
  return state.split(":").slice(2, 5).join(":");
}

/** Longer than the tick of any file system's clock: FAT's is 2 seconds. */
const TICK_MS = 2000;

/** No clock that ticks at every change shows these alone. */
const ROUND_NS = 10_000_000n;

/**
 * Whether the content cannot be another one while the file's state is the same. Not of a file that was changed just now: it could
 * change again within the tick. Nor where the time of its last change is a round one: FAT, ISO 9660 and squashfs keep none, and
 * make it up from what anybody can set.
 */
export function isTold(
  { mtimeMs, ctimeMs, ctimeNs }: Pick<BigIntStats, "mtimeMs" | "ctimeMs" | "ctimeNs">,
  now: number = Date.now(),
): boolean {
  return Math.max(Number(mtimeMs), Number(ctimeMs)) + TICK_MS < now && ctimeNs % ROUND_NS !== 0n;
}
