import { setImmediate } from "node:timers/promises";
import { platformMatches, type Diagnostic, type Platform } from "@undocked/registry";
import { gateKey } from "../cache/gate-key.ts";
import { areToldApart } from "../cache/layer-key.ts";
import type { RecipeCache } from "../cache/recipe-cache.ts";
import type { FileContent } from "../context/source-tree.ts";
import { staticGate } from "../elf/gate.ts";
import { looksLikeElf } from "../elf/read.ts";
import type { Entry, FileEntry } from "../layer/entry.ts";
import type { BuildPlan, StagePlan } from "../plan/plan.ts";
import { executableFacts, reportOf } from "../preflight/file-facts.ts";
import { factsOf } from "../preflight/image-files.ts";
import { VERSION } from "../version.ts";

/** After so many files other work of the process gets its turn. */
const SLICE = 500;

/**
 * What a stage's programs are to run on: what the image is for, but where FROM names another platform for a stage that the image
 * is not built upon, that one.
 */
export function platformOfStage(stage: StagePlan, { stages, platform }: BuildPlan): Platform {
  let below = stages.at(-1);
  if (below !== undefined && platformMatches(below.platform, stage.platform)) return platform;
  while (below !== undefined) {
    if (below.index === stage.index) return platform;
    const { from } = below;
    below = from.kind === "stage" ? stages.find(({ index }) => index === from.index) : undefined;
  }
  return stage.platform;
}

/** To be raised with what is refused: another release may judge otherwise, and by other facts. */
const JUDGE = `3 ${VERSION} ${executableFacts.id}`;

/** Bytes of the smallest ELF header; what is shorter is no program. */
const SMALLEST = 52;

/**
 * The executables among a layer's files that are not static, or not for the platform, wherever they come from: the context, an
 * archive, another image. Files that were all found to be in order before are not read again.
 */
export async function refusedExecutables(
  entries: readonly Entry[],
  platform: Platform,
  known?: RecipeCache,
): Promise<Diagnostic[]> {
  const key = known === undefined ? undefined : gateKey(entries, platform, JUDGE);
  if (key !== undefined && (await known?.has(key)) === true) return [];
  const files = entries
    .filter((entry) => entry.kind === "file")
    .filter(({ content }) => content.size >= SMALLEST);
  // Files of one archive are taken out of it together.
  for (const { content } of files) if (content.facts === undefined) content.expect?.();
  const refused: Diagnostic[] = [];
  for (const [at, file] of files.entries()) {
    if (at % SLICE === SLICE - 1) await setImmediate();
    if (!mayBeElf(file.content)) continue;
    const refusal = await judged(file, platform);
    if (refusal !== undefined) refused.push(refusal);
  }
  if (key !== undefined && refused.length === 0 && areToldApart(entries)) await known?.note(key);
  return refused;
}

/** Without a promise for each of many files. */
function mayBeElf(content: FileContent): boolean {
  const start = content.readAt?.(0, 4);
  return start === undefined || looksLikeElf(start);
}

async function judged({ path, content }: FileEntry, platform: Platform): Promise<Diagnostic | undefined> {
  const report = reportOf(await factsOf(content), platform);
  return report.format === "elf"
    ? staticGate(report, { path: `/${path}`, platform, mode: "static" })
    : undefined;
}
