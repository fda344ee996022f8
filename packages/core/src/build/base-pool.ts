import {
  ContentError,
  type BlobSource,
  type CallOptions,
  type Descriptor,
  type ImageConfig,
} from "@undocked/registry";
import { cachedIndex } from "../cache/index-cache.ts";
import type { Dockerfile } from "../dockerfile/ast.ts";
import { layerFiles } from "../layer/layer-files.ts";
import type { PlanOptions } from "../plan/options.ts";
import { planStages } from "../plan/plan-stages.ts";
import type { BuildPlan, RequiredBase } from "../plan/plan.ts";
import { executableFacts } from "../preflight/file-facts.ts";
import { indexLayer } from "../rootfs/index-layer.ts";
import type { LayerIndex } from "../rootfs/layer-index.ts";
import { emptyRootFs, type RootFs } from "../rootfs/rootfs.ts";
import { openNamedContext, openRegistryImage, parseNamedContext, type BaseImage } from "./base.ts";
import type { BuildEvent } from "./event.ts";
import type { Scope } from "./scope.ts";
import { sharedWork } from "./shared-work.ts";
import type { Workspace } from "./workspace.ts";

/** The images that a build rests on, each opened once. */
export interface BasePool {
  open(base: RequiredBase): Promise<BaseImage>;
  /** One that was opened. */
  opened(key: string): BaseImage;
  /** The files of one that was opened; not to be changed. */
  rootFs(key: string): Promise<RootFs>;
  /** The same, by the image. */
  rootFsOf(image: BaseImage): Promise<RootFs>;
}

export interface BasePoolOptions {
  readonly workspace: Workspace;
  /** What a relative path of a named context starts at. */
  readonly project: string;
  readonly namedContexts: Readonly<Record<string, string>>;
  readonly call: CallOptions;
  readonly hold: Scope["hold"];
  readonly emit: (event: BuildEvent) => void;
}

export function basePool(options: BasePoolOptions): BasePool {
  const opening = new Map<string, Promise<BaseImage>>();
  const images = new Map<string, BaseImage>();
  const roots = new Map<string, Promise<RootFs>>();

  async function open(base: RequiredBase): Promise<BaseImage> {
    const image = await openBase(base, options);
    images.set(base.key, image);
    options.emit({ kind: "base", reference: image.name, digest: image.root.digest });
    return image;
  }

  function opened(key: string): BaseImage {
    const image = images.get(key);
    if (image === undefined) throw new Error(`the base ${key} was not opened`);
    return image;
  }

  const rootFs = (key: string): Promise<RootFs> => once(roots, key, () => readRootFs(opened(key), options));

  return {
    open: (base) => once(opening, base.key, () => open(base)),
    opened,
    rootFs,
    rootFsOf(image) {
      const key = [...images.keys()].find((key) => images.get(key) === image);
      if (key === undefined) throw new Error(`the base ${image.name} is not of this build`);
      return rootFs(key);
    },
  };
}

function once<T>(under: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  const known = under.get(key);
  if (known !== undefined) return known;
  const begun = work();
  under.set(key, begun);
  return begun;
}

function openBase(
  { kind, reference, platform }: RequiredBase,
  { workspace, project, namedContexts, call }: BasePoolOptions,
): Promise<BaseImage> {
  const opening = { client: workspace.client, documents: workspace.content, platform, ...call };
  const value = kind === "named" ? namedContexts[reference] : undefined;
  return value === undefined
    ? openRegistryImage(reference, opening)
    : openNamedContext(reference, parseNamedContext(reference, value), project, opening);
}

/**
 * The merged view of a base's layers: from their cached indexes, else each layer is read once, several at a time.
 *
 * @throws {ContentError} `DIGEST_MISMATCH` for a layer that is not the one of the configuration
 */
async function readRootFs(image: BaseImage, options: BasePoolOptions): Promise<RootFs> {
  const { call, hold } = options;
  const { layers } = image.manifest;
  const diffIds = image.config.rootfs.diff_ids;
  if (diffIds.length !== layers.length) {
    throw new ContentError(
      "DIGEST_MISMATCH",
      `${image.name} has ${layers.length} layers, but its configuration lists ${diffIds.length}.`,
    );
  }
  const root = emptyRootFs();
  const indexes = await Promise.all(layers.map((layer) => layerIndex(layer, image.source, options)));
  for (const [position, index] of indexes.entries()) {
    const layer = layers[position];
    if (layer === undefined || index.diffId !== diffIds[position]) {
      throw new ContentError(
        "DIGEST_MISMATCH",
        `Layer ${position + 1} of ${image.name} unpacks to ${index.diffId}, but its configuration says ${String(diffIds[position])}.`,
      );
    }
    root.applyIndex(index, hold(layerFiles(() => image.source.fetch(layer, call))));
  }
  return root;
}

function layerIndex(
  layer: Descriptor,
  source: BlobSource,
  { workspace, call, emit }: BasePoolOptions,
): Promise<LayerIndex> {
  return indexing(`${workspace.directory}\0${layer.digest}`, call.signal, (signal) =>
    cachedIndex(workspace.indexes, layer.digest, executableFacts.id, () => {
      emit({ kind: "index", layer });
      return indexLayer(source.fetch(layer, { signal }), { collector: executableFacts });
    }),
  );
}

/** Builds that use one cache at the same time read a layer once. */
const indexing = sharedWork<LayerIndex>();

/** Opens the bases that a plan asks for and plans again with their configurations, until it asks for none. */
export async function completePlan(
  dockerfile: Dockerfile,
  options: PlanOptions,
  first: BuildPlan,
  pool: BasePool,
): Promise<BuildPlan> {
  const configs = new Map<string, ImageConfig>();
  let plan = first;
  // A base's triggers may name further images; each round knows more of them.
  for (;;) {
    const missing = plan.requiredBases.filter(({ key }) => !configs.has(key));
    if (missing.length === 0) return plan;
    for (const base of missing) void pool.open(base).catch(() => {});
    for (const base of missing) configs.set(base.key, (await pool.open(base)).config);
    plan = planStages(dockerfile, options, configs);
  }
}
