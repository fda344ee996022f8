import {
  contentOf,
  formatPlatform,
  type BlobSource,
  type Descriptor,
  type Diagnostic,
  type Digest,
  type ImageConfig,
  type Manifest,
  type Platform,
  type Reference,
} from "@undocked/registry";
import type { StoredLayer } from "../cache/cached-layer.ts";
import type { MappedTree } from "../context/mapped-tree.ts";
import type { Proof } from "../preflight/proof.ts";
import { assembleImage, type AssembledImage } from "./assemble.ts";
import { basePool, completePlan } from "./base-pool.ts";
import {
  earlyPush,
  formatTagged,
  pushImage,
  writeOutput,
  type Delivery,
  type PushedImage,
} from "./deliver.ts";
import { downloads } from "./download.ts";
import { checkOutputs } from "./check-outputs.ts";
import type { BuildEvent } from "./event.ts";
import { checkInput, type CheckedInput } from "./check-input.ts";
import { treeOptions } from "./input.ts";
import { checkOptions, type BuildOptions } from "./options.ts";
import { proveStart } from "./prove-start.ts";
import { writeLayers } from "./write-layers.ts";
import { scope } from "./scope.ts";
import { applyStages, timeText, type BuiltStage } from "./stage.ts";
import { writingTo } from "./system-error.ts";
import { usableCache } from "./usable-cache.ts";
import { clientOptions, openWorkspace, type Workspace } from "./workspace.ts";

/**
 * An image that was built. Its own layers lie in the cache; without one, until the image is disposed of (`await using`), which
 * also closes the connections that `store` reads base layers through.
 */
export interface BuiltImage extends AsyncDisposable {
  readonly root: Descriptor;
  /** The root's. */
  readonly digest: Digest;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** The base's and the build's own. */
  readonly layers: readonly Descriptor[];
  /** As asked for, with everything written out. */
  readonly tags: readonly string[];
  readonly warnings: readonly Diagnostic[];
  /** Whether the image's command can start, with every file that says so; absent where nobody was to look. */
  readonly proof?: Proof;
  readonly pushed: readonly PushedImage[];
  /** Reads everything that the root points to; base layers come from where the base lies. */
  readonly store: BlobSource;
}

/**
 * Builds an image, and pushes or writes it where that is asked for. Nothing of the image is executed.
 *
 * Faults of the options, the Dockerfile, the mappings and the files are found first and told together; nothing is fetched then.
 *
 * @throws {UndockedError} with a code of the README's table; `diagnostics` has each fault with its place
 */
export async function buildImage(options: BuildOptions = {}): Promise<BuiltImage> {
  checkOptions(options);
  const { cache, warnings } = await usableCache(options);
  const settled = { ...options, cache };
  const checked = await checkInput(settled);
  await checkOutputs(options.outputs ?? []);
  const workspace = await openWorkspace(settled);
  const { directory } = workspace;
  try {
    const hint = "Make room, or name another directory as the cache.";
    return await writingTo("CACHE_UNUSABLE", directory, hint, () =>
      build(settled, checked, workspace, warnings),
    );
  } catch (error) {
    await workspace[Symbol.asyncDispose]();
    throw error;
  }
}

async function build(
  options: BuildOptions,
  checked: CheckedInput,
  workspace: Workspace,
  earlier: readonly Diagnostic[],
): Promise<BuiltImage> {
  const { executables = "static", timestamps = "epoch", signal, onEvent } = options;
  const { dockerfile, context, mapped, project, planOptions } = checked;
  const emit = (event: BuildEvent): void => onEvent?.(event);
  const call = signal === undefined ? {} : { signal };
  await using held = scope();
  const { hold } = held;
  const bases = basePool({
    hold,
    workspace,
    project,
    namedContexts: options.namedContexts ?? {},
    files: treeOptions(options),
    call,
    emit,
  });
  const plan = await completePlan(dockerfile, planOptions, checked.plan, bases);
  const epoch = plan.sourceDateEpoch ?? 0;
  const stage = await applyStages({
    plan,
    context,
    bases,
    workspace,
    downloads: hold(downloads(call, clientOptions(options.registry))),
    executables,
    // What was judged for another platform is judged again: the base may have decided otherwise.
    checked:
      formatPlatform(plan.platform) === formatPlatform(checked.plan.platform) ? checked.steps : new Set(),
    epoch,
    emit,
    hold,
    ...call,
  });
  const { proof, warnings: doubts } = await proveStart(stage, bases, options);
  const tags = (options.tags ?? []).map(formatTagged);
  await using early = options.push === true ? earlyPush(workspace, tags, call) : undefined;
  const layers = await writeLayers(stage.layers, {
    store: early?.store ?? workspace.content,
    recipes: workspace.recipes,
    timestamps,
    epoch,
    ...(options.compression === undefined ? {} : { compression: options.compression }),
    emit,
    ...call,
  });
  const image = assemble(stage, layers, plan.platform, epoch);
  const warnings = [...earlier, ...plan.warnings, ...unusedMappings(mapped), ...doubts];
  for (const warning of warnings) emit({ kind: "warning", warning });
  const store = imageSource(image, stage, layers, workspace);
  const delivery: Delivery = { root: image.root, source: store, emit, origins: originsOf(stage), ...call };
  for (const output of options.outputs ?? []) await writeOutput(delivery, output, tags);
  const pushed = options.push === true ? await pushImage(delivery, tags, workspace.client, early) : [];
  return {
    root: image.root,
    digest: image.root.digest,
    manifest: image.manifest,
    config: image.config,
    layers: image.manifest.layers,
    tags,
    warnings,
    ...(proof === undefined ? {} : { proof }),
    pushed,
    store,
    [Symbol.asyncDispose]: () => workspace[Symbol.asyncDispose](),
  };
}

function assemble(
  { base, history, plan: stage }: BuiltStage,
  layers: readonly StoredLayer[],
  platform: Platform,
  epoch: number,
): AssembledImage {
  return assembleImage({
    base: base === undefined ? undefined : { config: base.config, layers: base.manifest.layers },
    platform,
    config: stage.config,
    ...(stage.author === undefined ? {} : { author: stage.author }),
    history,
    layers,
    created: timeText(epoch),
  });
}

/** The two documents from memory, the build's layers from the workspace, the base's from the base. */
function imageSource(
  image: AssembledImage,
  { base }: BuiltStage,
  layers: readonly StoredLayer[],
  { content: own }: Workspace,
): BlobSource {
  const documents = new Map<string, Uint8Array>([
    [image.root.digest, image.manifestBytes],
    [image.manifest.config.digest, image.configBytes],
  ]);
  const built = new Map<string, BlobSource>(
    layers.map(({ descriptor, source }) => [descriptor.digest, source]),
  );
  const sourceOf = ({ digest }: Descriptor): BlobSource => built.get(digest) ?? base?.source ?? own;
  return {
    fetch(target, options) {
      const document = documents.get(target.digest);
      return document === undefined ? sourceOf(target).fetch(target, options) : contentOf(document);
    },
    async exists(target, options) {
      return documents.has(target.digest) || (await sourceOf(target).exists(target, options));
    },
  };
}

/** Where a registry may take the base's layers over from. */
function originsOf({ base }: BuiltStage): ReadonlyMap<string, Reference> {
  const { repository, manifest } = base ?? {};
  if (repository === undefined) return new Map();
  return new Map(manifest?.layers.map(({ digest }) => [digest, repository]));
}

function unusedMappings(mapped: MappedTree): Diagnostic[] {
  return mapped.unusedMappings().map(({ from, to }) => ({
    code: "MAPPING_UNUSED",
    severity: "warning",
    message: `No COPY takes ${to}, which ${from} is mapped to: it is not in the image.`,
    hint: `Add COPY ${to} to the Dockerfile, or leave the mapping away.`,
  }));
}
