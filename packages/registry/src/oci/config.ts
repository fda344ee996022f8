import { z } from "zod";
import { FormatError } from "../errors.ts";
import { isDigest, type Digest } from "./digest.ts";
import { parseJson } from "./json.ts";
import { describeIssues } from "./manifest.ts";

/** The digest of a layer's uncompressed tar. */
export type DiffId = Digest;

/** How a container is started (image-spec, config.md; Healthcheck, Shell and OnBuild are Docker's). */
export interface ContainerConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Healthcheck?: Healthcheck;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly Shell?: readonly string[];
  readonly OnBuild?: readonly string[];
}

/** Durations are nanoseconds. */
export interface Healthcheck {
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/** What made a layer, or changed the configuration alone (image-spec, config.md). */
export interface HistoryEntry {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** The image's configuration document (image-spec, config.md). */
export interface ImageConfig {
  readonly created?: string;
  readonly author?: string;
  readonly architecture: string;
  readonly os: string;
  readonly "os.version"?: string;
  readonly variant?: string;
  readonly config?: ContainerConfig;
  readonly rootfs: { readonly type: "layers"; readonly diff_ids: readonly DiffId[] };
  readonly history?: readonly HistoryEntry[];
}

/** Bytes of a configuration that are read at most. */
export const configSizeLimit: number = 8 * 1024 * 1024;

// Go writes nil slices and maps as null: what is null is absent.
const absentIfNull = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => value ?? undefined, schema.optional());
const text = absentIfNull(z.string());
const number = absentIfNull(z.number());
const strings = absentIfNull(z.array(z.string()));
const set = absentIfNull(z.record(z.string(), z.looseObject({})));

const schema = z.looseObject({
  created: text,
  author: text,
  architecture: z.string(),
  os: z.string(),
  "os.version": text,
  variant: text,
  config: absentIfNull(
    z.looseObject({
      User: text,
      ExposedPorts: set,
      Env: strings,
      Entrypoint: strings,
      Cmd: strings,
      Healthcheck: absentIfNull(
        z.looseObject({
          Test: strings,
          Interval: number,
          Timeout: number,
          StartPeriod: number,
          StartInterval: number,
          Retries: number,
        }),
      ),
      Volumes: set,
      WorkingDir: text,
      Labels: absentIfNull(z.record(z.string(), z.string())),
      StopSignal: text,
      Shell: strings,
      OnBuild: strings,
    }),
  ),
  rootfs: z.looseObject({
    type: z.literal("layers"),
    diff_ids: z.preprocess((value) => value ?? [], z.array(z.custom<DiffId>(isDigest, "not a digest"))),
  }),
  history: absentIfNull(
    z.array(z.looseObject({ empty_layer: absentIfNull(z.boolean()) }).refine(isOfTexts, "not texts")),
  ),
});

/** An entry's keys stay in the order in which the base has them: it goes into the images that are made from it as it is. */
function isOfTexts(entry: Readonly<Record<string, unknown>>): boolean {
  return ["created", "created_by", "author", "comment"].every((key) => text.safeParse(entry[key]).success);
}

/**
 * Reads an image's configuration; unknown fields are kept, `null` fields are absent.
 *
 * @throws {FormatError} `CONFIG_INVALID`
 */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const result = schema.safeParse(
    parseJson(bytes, configSizeLimit, "CONFIG_INVALID", "The image configuration"),
  );
  if (!result.success) {
    throw new FormatError(
      "CONFIG_INVALID",
      `The image configuration does not have its form: ${describeIssues(result.error)}`,
    );
  }
  // Absent is absent: a key that stands for nothing is dropped, so that the hand-written interface holds.
  return dropUndefined(result.data);
}

function dropUndefined(value: z.infer<typeof schema>): ImageConfig {
  // JSON drops undefined members and keeps the order of the others; the schema has checked the rest.
  const copy: ImageConfig = JSON.parse(JSON.stringify(value));
  return copy;
}
