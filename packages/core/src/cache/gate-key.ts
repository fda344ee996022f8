import { createHash } from "node:crypto";
import { formatPlatform, type Platform } from "@undocked/registry";
import type { Entry } from "../layer/entry.ts";

/**
 * A name for "all executables among these files were judged and none was refused". `undefined` where a file has no
 * identity.
 */
export function gateKey(entries: readonly Entry[], platform: Platform): string | undefined {
  const identities: string[] = [];
  for (const entry of entries) {
    if (entry.kind !== "file") continue;
    if (entry.content.identity === undefined) return undefined;
    identities.push(`${entry.path}\0${entry.content.identity}`);
  }
  const hash = createHash("sha256").update(identities.join("\n")).digest("hex");
  return `gate 1 ${formatPlatform(platform)} ${hash}`;
}
