import {
  formatPlatform,
  type BlobSource,
  type Descriptor,
  type Diagnostic,
  type Digest,
  type ImageConfig,
  type Index,
  type Manifest,
  type Platform,
} from "@undocked/registry";
import { DEFAULT_CACHE_SIZE, keepWithin } from "../cache/keep-within.ts";
import type { MappedTree } from "../context/mapped-tree.ts";
import type { BuildPlan } from "../plan/plan.ts";
import type { Proof } from "../preflight/proof.ts";
import { assembleIndex } from "./assemble.ts";
import { basePool } from "./base-pool.ts";
import { checkInput, type CheckedInput, type CheckedTarget } from "./check-input.ts";
import { checkOutputs } from "./check-outputs.ts";
import { completePlans } from "./complete-plan.ts";
import {
  earlyPush,
  formatTagged,
  pushImage,
  writeOutput,
  type Delivery,
  type PushedImage,
} from "./deliver.ts";
import { downloads } from "./download.ts";
import type { BuildEvent } from "./event.ts";
import { finishImage, imageSource, originsOf, outputSource, type FinishedImage } from "./finished-image.ts";
import { treeOptions } from "./input.ts";
import { checkOffline } from "./offline-check.ts";
import { checkOptions, type BuildOptions } from "./options.ts";
import { mergeFindings } from "./platform-faults.ts";
import { proveStarts } from "./prove-start.ts";
import { scope, type Scope } from "./scope.ts";
import { applyStages } from "./stage.ts";
import { writingTo } from "./system-error.ts";
import { usableCache } from "./usable-cache.ts";
import { clientOptions, openWorkspace, type Workspace } from "./workspace.ts";
import { writeLayers } from "./write-layers.ts";

/** The image for one platform. */
export interface PlatformImage {
  readonly platform: Platform;
  /** Of the manifest. */
  readonly root: Descriptor;
  /** The root's. */
  readonly digest: Digest;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** The base's and the build's own. */
  readonly layers: readonly Descriptor[];
  /** Whether the image's command can start, with every file that says so; absent where nobody was to look. */
  readonly proof?: Proof;
}

/**
 * What was built: an image, or an index of the images for several platforms. Its own layers lie in the cache; without one, until
 * it is disposed of (`await using`), which also closes the connections that `store` reads base layers through.
 *
 * What an index has several of (`manifest`, `config`, `layers`, `proof`) is of the first of `images`.
 */
export interface BuiltImage extends Omit<PlatformImage, "platform">, AsyncDisposable {
  /** Of the manifest; of the index where there are several platforms. */
  readonly root: Descriptor;
  /** One for each platform, in the order they were asked for. */
  readonly images: readonly PlatformImage[];
  /** Where there are several platforms. */
  readonly index?: Index;
  /** As asked for, with everything written out. */
  readonly tags: readonly string[];
  readonly warnings: readonly Diagnostic[];
  readonly pushed: readonly PushedImage[];
  /** Reads everything that the root points to; base layers come from where the base lies. */
  readonly store: BlobSource;
}

/**
 * Builds an image, and pushes or writes it where that is asked for. Nothing of the image is executed.
 *
 * Faults of the options, the Dockerfile, the mappings and the files are found first and told together; nothing is fetched then.
 * Nothing is delivered before the images for all platforms are proved.
 *
 * @throws {UndockedError} with a code of the README's table; `diagnostics` has each fault with its place
 */
export async function buildImage(options: BuildOptions = {}): Promise<BuiltImage> {
  checkOptions(options);
  const { cache, warnings } = await usableCache(options);
  const checked = await checkInput({ ...options, cache });
  await checkOutputs(options.outputs ?? []);
  const workspace = await openWorkspace({ ...options, cache });
  const { directory } = workspace;
  // One fault stops all that is under way.
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  try {
    const hint = "Make room, or name another directory as the cache.";
    return await writingTo("CACHE_UNUSABLE", directory, hint, async () => {
      if (cache !== false) await keepWithin(directory, options.cacheMaxSize ?? DEFAULT_CACHE_SIZE);
      await using held = scope();
      const build = { options, checked, workspace, signal, hold: held.hold, warnings };
      try {
        return await run(build);
      } catch (error) {
        stop.abort(error);
        throw error;
      }
    });
  } catch (error) {
    await workspace[Symbol.asyncDispose]();
    throw workspace.offline?.together(error) ?? error;
  } finally {
    workspace.ended();
  }
}

interface Build {
  readonly options: BuildOptions;
  readonly checked: CheckedInput;
  readonly workspace: Workspace;
  readonly signal: AbortSignal;
  readonly hold: Scope["hold"];
  /** Of what came before. */
  readonly warnings: readonly Diagnostic[];
}

async function run({
  options,
  checked,
  workspace,
  signal,
  hold,
  warnings: earlier,
}: Build): Promise<BuiltImage> {
  const { executables = "static", timestamps = "epoch", compression, onEvent } = options;
  const { manifest: manifestAnnotations, index: indexAnnotations } = options.annotations ?? {};
  const { outputs = [], namedContexts = {} } = options;
  const { context, mapped, project, targets } = checked;
  const emit = (event: BuildEvent): void => onEvent?.(event);
  const call = { signal };
  const files = treeOptions(options);
  const bases = hold(basePool({ hold, workspace, project, namedContexts, files, call, emit }));
  const plans = await completePlans(checked, bases);
  await checkOffline(plans, bases, workspace, outputs.length === 0 ? "files" : "files and layers");
  const stages = await applyStages(
    plans.map((plan, position) => ({ plan, checked: judgedSteps(plan, targets[position]) })),
    {
      context,
      bases,
      workspace,
      downloads: hold(downloads(call, workspace, clientOptions(options.registry))),
      executables,
      emit,
      hold,
      signal,
    },
  );
  const { proofs, warnings: doubts } = await proveStarts(stages, plans, bases, options);
  const tags = (options.tags ?? []).map(formatTagged);
  await using early = options.push === true ? earlyPush(workspace, tags, call, emit) : undefined;
  const layers = await writeLayers(
    stages.flatMap((stage) => stage.layers),
    {
      store: early?.store ?? workspace.content,
      directory: workspace.directory,
      recipes: workspace.recipes,
      timestamps,
      ...(compression === undefined ? {} : { compression }),
      emit,
      signal,
    },
  );
  const finished = stages.map((stage, position) => {
    const { platform = stage.plan.platform, sourceDateEpoch: epoch = 0 } = plans[position] ?? {};
    const annotations = manifestAnnotations === undefined ? {} : { annotations: manifestAnnotations };
    return finishImage(stage, { platform, epoch, layers, ...annotations });
  });
  const index = finished.length === 1 ? undefined : assembleIndex(finished, indexAnnotations);
  const images = finished.map((image, position) => platformImage(image, proofs[position]));
  const [first] = images;
  if (first === undefined) throw new Error("a build is for a platform");
  const told = plans.map(({ platform, warnings }) => ({
    platform: formatPlatform(platform),
    found: warnings,
  }));
  const warnings = [...earlier, ...mergeFindings(told, "plain"), ...unusedMappings(mapped), ...doubts];
  for (const warning of warnings) emit({ kind: "warning", warning });
  const { root } = index ?? first;
  const source = imageSource(finished, index, workspace);
  const delivery: Delivery = { root, source, emit, origins: originsOf(finished), signal };
  const whole = { ...delivery, source: outputSource(finished, index, workspace) };
  for (const output of outputs) await writeOutput(whole, output, tags);
  const pushed = options.push === true ? await pushImage(delivery, tags, workspace.client, early) : [];
  const { platform: _, ...ofFirst } = first;
  return {
    ...ofFirst,
    root,
    digest: root.digest,
    images,
    ...(index === undefined ? {} : { index: index.index }),
    tags,
    warnings,
    pushed,
    store: source,
    [Symbol.asyncDispose]: () => workspace[Symbol.asyncDispose](),
  };
}

/** What was judged for another platform is judged again: the base may have decided otherwise. */
function judgedSteps(plan: BuildPlan, target: CheckedTarget | undefined): ReadonlySet<string> {
  return target !== undefined && formatPlatform(plan.platform) === formatPlatform(target.plan.platform)
    ? target.steps
    : new Set();
}

function platformImage(
  { platform, root, manifest, config }: FinishedImage,
  proof: Proof | undefined,
): PlatformImage {
  return {
    platform,
    root,
    digest: root.digest,
    manifest,
    config,
    layers: manifest.layers,
    ...(proof === undefined ? {} : { proof }),
  };
}

function unusedMappings(mapped: MappedTree): Diagnostic[] {
  return mapped.unusedMappings().map(({ from, to }) => ({
    code: "MAPPING_UNUSED",
    severity: "warning",
    message: `No COPY takes ${to}, which ${from} is mapped to: it is not in the image.`,
    hint: `Add COPY ${to} to the Dockerfile, or leave the mapping away.`,
  }));
}
