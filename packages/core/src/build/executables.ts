import type { Diagnostic, Platform } from "@undocked/registry";
import { contentSource } from "../elf/byte-source.ts";
import { staticGate } from "../elf/gate.ts";
import { inspectExecutable } from "../elf/inspect.ts";
import { looksLikeElf } from "../elf/read.ts";
import type { Entry, FileEntry } from "../layer/entry.ts";

/** Bytes of the smallest ELF header; what is shorter is no program. */
const SMALLEST = 52;

/**
 * The executables among a layer's files that are not static, or not for the platform. Files whose bytes lie in a compressed
 * layer were in an image already, and are not judged.
 */
export async function refusedExecutables(
  entries: readonly Entry[],
  platform: Platform,
): Promise<Diagnostic[]> {
  const refused: Diagnostic[] = [];
  for (const entry of entries) {
    const refusal = entry.kind === "file" ? await judged(entry, platform) : undefined;
    if (refusal !== undefined) refused.push(refusal);
  }
  return refused;
}

async function judged({ path, content }: FileEntry, platform: Platform): Promise<Diagnostic | undefined> {
  const source = content.size < SMALLEST ? undefined : contentSource(content);
  if (source === undefined || !looksLikeElf(await source.read(0, 4))) return undefined;
  return staticGate(await inspectExecutable(source, { platform }), {
    path: `/${path}`,
    platform,
    mode: "static",
  });
}
