import { join, resolve } from "node:path";
import { digestOf, encodeJson, type Descriptor } from "@undocked/registry";
import { keptTexts } from "../cache/kept-texts.ts";
import { signatureOf, type Observation } from "../context/observed-tree.ts";
import type { BuildPlan } from "../plan/plan.ts";
import { executableFacts } from "../preflight/file-facts.ts";
import { VERSION } from "../version.ts";
import type { BasePool } from "./base-pool.ts";
import type { BuiltImage } from "./built-image.ts";
import type { BuildEvent } from "./event.ts";
import type { BuildInput } from "./input.ts";
import type { BuildOptions } from "./options.ts";

/** What a build came to, and what decided it. JSON. */
export interface BuildRecord {
  /** Of the build context. */
  readonly observation: Observation;
  /** Of what was observed. */
  readonly signature: string;
  /** The latest time that anything has in the layers: seconds since 1970. */
  readonly latest: number;
  /** What the names of its bases stood for. */
  readonly bases: readonly NamedBase[];
  /** What was told, but for what is of one delivery. */
  readonly events: readonly BuildEvent[];
  readonly result: RecordedResult;
}

export interface NamedBase {
  readonly name: string;
  readonly target: Descriptor;
}

export type RecordedResult = Pick<BuiltImage, "root" | "images" | "index" | "warnings">;

/** The records of builds that were asked the same. */
export interface BuildRecords {
  /** That of the last one, if nothing of the context that it looked at is another now. */
  unchanged(): Promise<BuildRecord | undefined>;
  /** Keeps what the build has come to, if all that decided it can be told. */
  keep(built: Omit<BuildRecord, "observation" | "signature">): Promise<void>;
}

/** Records of earlier releases do not count: they may have judged otherwise. */
const FORM = "build 3";

/**
 * @param directory - the cache
 * @param input - found to be without fault
 */
export function buildRecords(directory: string, options: BuildOptions, input: BuildInput): BuildRecords {
  const texts = keptTexts(join(directory, "recipes", "builds-v1"));
  const { context } = input;
  const key = keyOf(options, input);
  return {
    async unchanged() {
      const json = context === undefined ? undefined : await texts.read(key);
      if (context === undefined || json === undefined) return undefined;
      const record: BuildRecord = JSON.parse(json);
      const { latest } = record;
      const signature = await signatureOf(context, record.observation, { latest, anew: true });
      return signature === record.signature ? record : undefined;
    },
    async keep(built) {
      const observation = context?.observation();
      if (context === undefined || observation === undefined) return;
      const signature = await signatureOf(context, observation, { latest: built.latest });
      if (signature !== undefined)
        await texts.write(key, JSON.stringify({ ...built, observation, signature } satisfies BuildRecord));
    },
  };
}

/** A name for what a build is asked; where the result goes, and how it gets there, is not part of it. */
function keyOf(options: BuildOptions, { texts, project }: BuildInput): string {
  const { tags, push, outputs, cache, cacheMaxSize, offline, verify, registry, signal, onEvent, ...asked } =
    options;
  const { context } = asked;
  return digestOf(
    encodeJson([
      FORM,
      VERSION,
      executableFacts.id,
      // The bytes of zstd are those of the library that Node brings.
      process.versions["zstd"] ?? "",
      texts,
      project,
      { ...asked, context: typeof context === "string" ? resolve(context) : typeof context },
    ]),
  );
}

/** The names of a build's bases; `undefined`: something decided it that has no name of its own, such as a file of the web. */
export function namedBases(plans: readonly BuildPlan[], bases: BasePool): readonly NamedBase[] | undefined {
  const named = new Map<string, NamedBase>();
  for (const { requiredBases, stages } of plans) {
    const hasUrls = stages.some(({ steps }) =>
      steps.some((step) => step.kind === "add" && step.urls.length > 0),
    );
    if (hasUrls) return undefined;
    for (const { key, kind } of requiredBases) {
      const image = bases.opened(key);
      if (kind === "named" || image?.repository === undefined) return undefined;
      named.set(image.name, { name: image.name, target: image.named });
    }
  }
  return [...named.values()];
}
