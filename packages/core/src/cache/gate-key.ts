import { createHash } from "node:crypto";
import { formatPlatform, type Platform } from "@undocked/registry";
import type { Entry } from "../layer/entry.ts";

/**
 * A name for "all executables among these files were judged and none was refused". `undefined` where a file has no
 * identity.
 *
 * @param judge - who has judged: what others passed is judged again
 */
export function gateKey(entries: readonly Entry[], platform: Platform, judge: string): string | undefined {
  const hash = createHash("sha256");
  let lines: string[] = [];
  for (const entry of entries) {
    if (entry.kind !== "file") continue;
    if (entry.content.identity === undefined) return undefined;
    lines.push(`${entry.path}\0${entry.content.identity}\n`);
    if (lines.length < BATCH) continue;
    hash.update(lines.join(""));
    lines = [];
  }
  return `gate ${judge} ${formatPlatform(platform)} ${hash.update(lines.join("")).digest("hex")}`;
}

/** Lines hashed in one go: a call for each would cost more than the hashing, and all of them much memory. */
const BATCH = 1000;
