import { z } from "zod";
import {
  formatPlatform,
  parsePlatform,
  UndockedError,
  type Diagnostic,
  type Platform,
  type RegistryClient,
  type RegistryClientOptions,
} from "@undocked/registry";
import type { FileMapping } from "../context/mapped-tree.ts";
import type { SourceTree } from "../context/source-tree.ts";
import type { LayerCompression } from "../layer/encoding.ts";
import type { BuildEvent } from "./event.ts";

/** What the caller of {@link buildImage} asked for is not what can be asked for. */
export class OptionsError extends UndockedError<"OPTIONS_INVALID"> {}

/** What the executables that a build adds must be; `executables` of {@link BuildOptions} says what each means. */
export type ExecutablePolicy = "static" | "self-contained" | "any";

/** What becomes of faults that stop a start. */
export type PreflightPolicy = "error" | "warn" | "off";

/**
 * Where an image is written: `path` is a directory for a layout, else a file. `tag` is its name there; the default is the tag of the
 * first of `tags`, or `latest`, and all of `tags` in a docker-archive.
 */
export type Output =
  | { readonly type: "oci-layout"; readonly path: string; readonly tag?: string }
  | { readonly type: "oci-archive"; readonly path: string; readonly tag?: string }
  | { readonly type: "docker-archive"; readonly path: string; readonly tag?: string };

/** What {@link buildImage} takes. Every field is optional, and absent if it is `undefined`; an unknown one is an error. */
export interface BuildOptions {
  /**
   * The build context: a directory of the host, or a tree of one's own (`memoryTree`). Default: the project directory; none
   * when `files` are given, so that the context is just what they map.
   */
  readonly context?: string | SourceTree;
  /** The directory that `files[].from` and `dockerfile` start at. Default: the context's directory, else the working directory. */
  readonly project?: string;
  /**
   * A path in the context or the project, a path of the host, or the text itself. Default: `Dockerfile`; when `image` is given, one
   * is made from it.
   */
  readonly dockerfile?:
    | string
    | { readonly path: string }
    | { readonly text: string; readonly file?: string };
  /** The base of an image without a Dockerfile: every mapping is copied to its `to`, seen from the root. */
  readonly image?: string;
  readonly files?: readonly FileMapping[];
  /**
   * A text is put into the image's environment as `ENTRYPOINT`, for a Dockerfile that says `ENTRYPOINT $ENTRYPOINT`; `override`
   * replaces the image's entrypoint itself, a string being split as a shell would.
   */
  readonly entrypoint?: string | { readonly override: string | readonly string[] };
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** A stage's name. Default: the last stage. */
  readonly target?: string;
  /**
   * Names that FROM and `COPY --from` may use: a directory, `docker-image://REFERENCE` or `oci-layout:///directory[:tag]`.
   * A relative path starts at the project.
   */
  readonly namedContexts?: Readonly<Record<string, string>>;
  /**
   * Several are several images and an index of them, in this order. Default: one image for `linux/amd64`, whatever the host is; it
   * has its base's platform.
   */
  readonly platforms?: readonly string[];
  /** Annotations of the manifests, and of the index where there are several platforms. */
  readonly annotations?: {
    readonly manifest?: Readonly<Record<string, string>>;
    readonly index?: Readonly<Record<string, string>>;
  };
  /**
   * `static` (default): every ELF executable that the build adds must be statically linked and be for the platform.
   * `self-contained`: those, and what the image starts, may be dynamic if their loader and all of their libraries, in the versions that they need, are in the
   * image. `any`: not looked at.
   */
  readonly executables?: ExecutablePolicy;
  /** Whether the image's command can start is looked at before anything is delivered: faults refuse the build (default), or are warnings. */
  readonly preflight?: PreflightPolicy;
  /** References that the image gets. */
  readonly tags?: readonly string[];
  /** Sends the image to the registry of each of `tags`. Default: no. */
  readonly push?: boolean;
  readonly outputs?: readonly Output[];
  /**
   * `epoch` (default): times in new layers, history and configuration are the epoch's. `preserve`: files keep the time they have
   * in the context.
   */
  readonly timestamps?: "epoch" | "preserve";
  /** Seconds since 1970, over the build argument `SOURCE_DATE_EPOCH`. Default: 0. */
  readonly sourceDateEpoch?: number;
  /** Where layers and header indexes are kept. Default: `undocked` in the user's cache directory. `false`: nothing is kept. */
  readonly cache?: string | false;
  /** Bytes that the cache may grow to; what was of use the longest time ago goes first. Looked at once an hour. Default: 10 GB. */
  readonly cacheMaxSize?: number;
  /**
   * Nothing is fetched: bases come from layouts or from what earlier builds have left in the cache, and what is missing there is told.
   * Outputs can be written, and nothing be pushed. Default: no.
   */
  readonly offline?: boolean;
  /**
   * How the cache tells a file that did not change: by size, times and inode (`stat`), or by reading it (`content`), as on file
   * systems whose times cannot be trusted. Default: `stat`.
   */
  readonly verify?: "stat" | "content";
  /**
   * Of new layers. A level is 1 to 9 for gzip (default 4), 1 to 19 for zstd (default 3; Node 22.15 or newer, and not every tool
   * reads it). Another one is another digest. Default: `gzip`.
   */
  readonly compression?: LayerCompression;
  /** Credentials, certificates, insecure registries; or a client to share between builds. */
  readonly registry?: RegistryClientOptions | RegistryClient;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: BuildEvent) => void;
}

const texts = z.record(z.string(), z.string());
const outputSchema = optionsOf({
  type: z.enum(["oci-layout", "oci-archive", "docker-archive"]),
  path: z.string().min(1),
  tag: z.string().exactOptional(),
});

const schema: z.ZodType<BuildOptions> = optionsOf({
  context: z
    .union([z.string().min(1), z.custom<SourceTree>(isSourceTree)], "a directory's path or a source tree")
    .exactOptional(),
  project: z.string().min(1).exactOptional(),
  dockerfile: z
    .union(
      [
        z.string().min(1),
        optionsOf({ path: z.string().min(1) }, ["text", "file"]),
        optionsOf({ text: z.string(), file: z.string().exactOptional() }, ["path"]),
      ],
      "a path, { path } or { text, file }",
    )
    .exactOptional(),
  image: z.string().min(1).exactOptional(),
  files: z.array(optionsOf({ from: z.string().min(1), to: z.string().min(1) })).exactOptional(),
  entrypoint: z
    .union(
      [z.string(), optionsOf({ override: z.union([z.string(), z.array(z.string())]) })],
      "a text or { override }",
    )
    .exactOptional(),
  buildArgs: texts.exactOptional(),
  labels: texts.exactOptional(),
  target: z.string().min(1).exactOptional(),
  namedContexts: texts.exactOptional(),
  platforms: z.array(z.string()).min(1, "at least one platform").exactOptional(),
  annotations: optionsOf({
    manifest: texts.exactOptional(),
    index: texts.exactOptional(),
  }).exactOptional(),
  executables: z.enum(["static", "self-contained", "any"]).exactOptional(),
  preflight: z.enum(["error", "warn", "off"]).exactOptional(),
  tags: z.array(z.string()).exactOptional(),
  push: z.boolean().exactOptional(),
  outputs: z.array(outputSchema).exactOptional(),
  timestamps: z.enum(["epoch", "preserve"]).exactOptional(),
  sourceDateEpoch: z.int().nonnegative().exactOptional(),
  cache: z.union([z.string().min(1), z.literal(false)], "a directory's path or false").exactOptional(),
  cacheMaxSize: z.int("a number of bytes").nonnegative("a number of bytes").exactOptional(),
  offline: z.boolean().exactOptional(),
  verify: z.enum(["stat", "content"]).exactOptional(),
  compression: z
    .union(
      [
        z.enum(["gzip", "zstd", "none"]),
        optionsOf({ type: z.literal("gzip"), level: z.int().min(1).max(9) }),
        optionsOf({ type: z.literal("zstd"), level: z.int().min(1).max(19) }),
      ],
      "gzip, zstd, none, or { type, level } with a level of 1 to 9 for gzip, 1 to 19 for zstd",
    )
    .exactOptional(),
  registry: z
    .custom<RegistryClientOptions | RegistryClient>((value) => typeof value === "object")
    .exactOptional(),
  signal: z.instanceof(AbortSignal).exactOptional(),
  onEvent: z
    .custom<(event: BuildEvent) => void>((value) => typeof value === "function", "a function")
    .exactOptional(),
});

/**
 * An object of which a field that is `undefined` is absent, and one that is none of its own an error.
 *
 * @param ofOthers - fields of what may be given in its place
 */
function optionsOf<Shape extends z.core.$ZodLooseShape>(shape: Shape, ofOthers: readonly string[] = []) {
  const known = new Set([...Object.keys(shape), ...ofOthers]);
  const isGiven = ([name, value]: [string, unknown]): boolean => value !== undefined || !known.has(name);
  const given = (value: unknown): unknown =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).filter(isGiven))
      : value;
  return z.preprocess(given, z.strictObject(shape));
}

/**
 * Checks options and tells all their faults at once.
 *
 * @returns the same, without what is there and `undefined`
 * @throws {OptionsError} `OPTIONS_INVALID`
 */
export function checkOptions(options: BuildOptions): BuildOptions {
  const result = schema.safeParse(options);
  if (!result.success) throw refused(result.error.issues.flatMap(describe));
  const found = contradictions(result.data);
  if (found.length > 0) throw refused(found);
  return result.data;
}

function refused(messages: readonly string[]): OptionsError {
  const diagnostics = messages.map((message): Diagnostic => ({
    code: "OPTIONS_INVALID",
    severity: "error",
    message,
  }));
  return new OptionsError("OPTIONS_INVALID", messages[0] ?? "", { diagnostics });
}

function describe(issue: z.core.$ZodIssue): string[] {
  const place = issue.path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => `${`${place}.${key}`.slice(1)} is not an option of buildImage().`);
  }
  return [`${place.slice(1) || "The options"}: ${issue.message}.`];
}

function contradictions(options: BuildOptions): string[] {
  const found: string[] = [];
  if (options.push === true && (options.tags ?? []).length === 0)
    found.push("push needs a tag to push to: tags is empty.");
  if (options.push === true && options.offline === true)
    found.push(
      "offline and push exclude each other: write an oci-layout or oci-archive, and push that later.",
    );
  if (options.image !== undefined && options.dockerfile !== undefined) {
    found.push("image and dockerfile exclude each other: a Dockerfile names its base itself.");
  }
  if (isForSeveral(options)) {
    for (const { type, path } of options.outputs ?? [])
      if (type === "docker-archive")
        found.push(
          `outputs: a docker-archive holds one platform, and ${path} is to get several: write an oci-archive.`,
        );
  } else if (Object.keys(options.annotations?.index ?? {}).length > 0) {
    found.push("annotations.index: an image for one platform has no index.");
  }
  return found;
}

/** Whether the result is an index. What is no platform is told elsewhere. */
function isForSeveral(options: BuildOptions): boolean {
  try {
    return requestedPlatforms(options).length > 1;
  } catch (error) {
    if (error instanceof UndockedError) return false;
    throw error;
  }
}

/** The platforms asked for, each once; `undefined`: `linux/amd64`, or what the base is that the Dockerfile's own words name. */
export function requestedPlatforms({ platforms }: BuildOptions): readonly (Platform | undefined)[] {
  if (platforms === undefined) return [undefined];
  const each = platforms.map(parsePlatform).map((platform) => [formatPlatform(platform), platform] as const);
  return [...new Map(each).values()];
}

function isSourceTree(value: unknown): value is SourceTree {
  if (typeof value !== "object" || value === null) return false;
  return ["lstat", "list", "open"].every((key) => key in value);
}
