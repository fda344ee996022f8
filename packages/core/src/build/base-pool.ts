import { resolve } from "node:path";
import {
  ContentError,
  FormatError,
  type CallOptions,
  type Descriptor,
  type ImageConfig,
} from "@undocked/registry";
import { cachedIndex } from "../cache/index-cache.ts";
import { sharedWork } from "../cache/shared-work.ts";
import { directoryTree, type DirectoryTreeOptions } from "../context/directory-tree.ts";
import { memoryTree } from "../context/memory-tree.ts";
import type { SourceTree } from "../context/source-tree.ts";
import { LayerError } from "../layer/layer-error.ts";
import { layerFiles } from "../layer/layer-files.ts";
import type { RequiredBase } from "../plan/plan.ts";
import { executableFacts } from "../preflight/file-facts.ts";
import { entryBudget } from "../rootfs/entry-budget.ts";
import { indexLayer } from "../rootfs/index-layer.ts";
import type { LayerIndex } from "../rootfs/layer-index.ts";
import { emptyRootFs, type RootFs } from "../rootfs/rootfs.ts";
import { openLayoutImage, openRegistryImage, type BaseImage } from "./base.ts";
import type { BuildEvent } from "./event.ts";
import { withoutIgnored } from "./ignored-tree.ts";
import { keptSource } from "./kept-source.ts";
import { limits } from "./limits.ts";
import { parseNamedContext } from "./named-context.ts";
import { orderedWork } from "./ordered-work.ts";
import type { Scope } from "./scope.ts";
import type { WholeLayers } from "./whole-layers.ts";
import { withoutCache } from "./without-cache.ts";
import type { Workspace } from "./workspace.ts";

/** The images and named contexts that a build rests on, each opened once. Disposing waits for what is still under way. */
export interface BasePool extends AsyncDisposable {
  /** Whether nothing is fetched. */
  readonly isOffline: boolean;
  /** @returns the image's configuration; that of scratch for a directory */
  open(base: RequiredBase): Promise<ImageConfig>;
  /** One that was opened; `undefined` where it is no image but a directory. @throws {Error} for a key that was not */
  opened(key: string): BaseImage | undefined;
  /** What COPY sees of one that was opened. */
  tree(key: string): Promise<SourceTree>;
  /** The files of an image that was opened; not to be changed. */
  rootFs(key: string): Promise<RootFs>;
  /** The same, by the image. */
  rootFsOf(image: BaseImage): Promise<RootFs>;
}

export interface BasePoolOptions {
  readonly workspace: Workspace;
  /** What a relative path of a named context starts at. */
  readonly project: string;
  readonly namedContexts: Readonly<Record<string, string>>;
  /** How directories among them are read. */
  readonly files: DirectoryTreeOptions;
  readonly call: CallOptions;
  readonly hold: Scope["hold"];
  readonly emit: (event: BuildEvent) => void;
  /** Which layers are fetched to be kept when they are read. Default: none. */
  readonly whole?: Pick<WholeLayers, "isNeeded">;
  /** Things in all layers of an image; for tests. Default 2,000,000. */
  readonly mostEntries?: number;
}

/** What a base turned out to be. */
type Opened =
  | { readonly kind: "image"; readonly image: BaseImage }
  | { readonly kind: "directory"; readonly tree: SourceTree };

export function basePool(options: BasePoolOptions): BasePool {
  const opening = new Map<string, Promise<ImageConfig>>();
  const opened = new Map<string, Opened>();
  const roots = new Map<string, Promise<RootFs>>();

  async function open(base: RequiredBase): Promise<ImageConfig> {
    const found = await openBase(base, options);
    opened.set(base.key, found);
    if (found.kind === "directory") return scratchConfig(base);
    const { image } = found;
    options.emit({ kind: "base", reference: image.name, digest: image.root.digest });
    return image.config;
  }

  function at(key: string): Opened {
    const found = opened.get(key);
    if (found === undefined) throw new Error(`the base ${key} was not opened`);
    return found;
  }

  function imageAt(key: string): BaseImage | undefined {
    const found = at(key);
    return found.kind === "image" ? found.image : undefined;
  }

  function rootFs(key: string): Promise<RootFs> {
    const image = imageAt(key);
    if (image === undefined) throw new Error(`the base ${key} is no image`);
    return once(roots, key, () => readRootFs(image, options));
  }

  return {
    isOffline: options.workspace.offline !== undefined,
    open: (base) => once(opening, base.key, () => open(base)),
    opened: imageAt,
    async tree(key) {
      const found = at(key);
      return found.kind === "directory" ? found.tree : await rootFs(key);
    },
    rootFs,
    rootFsOf(image) {
      const key = [...opened.keys()].find((key) => imageAt(key) === image);
      if (key === undefined) throw new Error(`the base ${image.name} is not of this build`);
      return rootFs(key);
    },
    async [Symbol.asyncDispose]() {
      await Promise.allSettled([...opening.values(), ...roots.values()]);
    },
  };
}

function once<T>(under: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  const known = under.get(key);
  if (known !== undefined) return known;
  const begun = work();
  // Who waits for it is told; nobody else needs to be.
  begun.catch(() => {});
  under.set(key, begun);
  return begun;
}

async function openBase(
  { kind, reference, platform }: RequiredBase,
  { workspace, project, namedContexts, files, call }: BasePoolOptions,
): Promise<Opened> {
  const opening = { workspace, platform, ...call };
  const value = kind === "named" ? namedContexts[reference] : undefined;
  const context =
    value === undefined ? ({ kind: "image", reference } as const) : parseNamedContext(reference, value);
  switch (context.kind) {
    case "scratch":
      return { kind: "directory", tree: memoryTree({}) };
    case "directory": {
      const path = resolve(project, context.path);
      const tree = withoutCache(directoryTree(path, files), path, workspace.directory);
      return { kind: "directory", tree: withoutIgnored(tree) };
    }
    case "image":
      return { kind: "image", image: await openRegistryImage(context.reference, opening) };
    case "layout": {
      const path = resolve(project, context.path);
      return { kind: "image", image: await openLayoutImage(reference, path, context.reference, opening) };
    }
  }
}

/** What a stage begins with that begins with no image. */
function scratchConfig({ platform }: RequiredBase): ImageConfig {
  return { ...platform, config: { WorkingDir: "/" }, rootfs: { type: "layers", diff_ids: [] } };
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
  if (layers.length > MOST_LAYERS) {
    throw new FormatError(
      "MANIFEST_INVALID",
      `${image.name} has ${layers.length} layers; no more than ${MOST_LAYERS} are read.`,
    );
  }
  const root = emptyRootFs();
  const indexes = await layerIndexes(image, options);
  for (const [position, index] of indexes.entries()) {
    const layer = layers[position];
    if (layer === undefined || index.diffId !== diffIds[position]) {
      throw new ContentError(
        "DIGEST_MISMATCH",
        `Layer ${position + 1} of ${image.name} unpacks to ${index.diffId}, but its configuration says ${String(diffIds[position])}.`,
      );
    }
    root.applyIndex(
      index,
      hold(layerFiles(() => image.source.fetch(layer, call), { identity: layer.digest })),
    );
  }
  return root;
}

/** Container engines stack 127 or 500; an image has one configuration for all of them. */
const MOST_LAYERS = 1000;

/** Things in all of an image's layers. */
const MOST_ENTRIES = 2_000_000;

function layerIndexes(image: BaseImage, options: BasePoolOptions): Promise<readonly LayerIndex[]> {
  const { call, workspace, mostEntries = MOST_ENTRIES } = options;
  const reading = orderedWork(call.signal);
  const tooMany = (): LayerError =>
    new LayerError("LAYER_INVALID", `${image.name} has more than ${mostEntries} files in its layers.`);
  const budget = entryBudget(mostEntries, tooMany);
  return reading.all(
    image.manifest.layers.map((layer, position) =>
      // Offline nothing is worth stopping, and all that is missing is to be found.
      reading.run(workspace.offline === undefined ? [position] : [], async (signal) => {
        const name = `Layer ${position + 1} of ${image.name}`;
        const onEntry = (entries: number): void => budget.note(position, entries);
        try {
          const index = await layerIndex({ layer, name, onEntry }, image, signal, options);
          // Another build may have read it, or an earlier one.
          onEntry(index.entries.length);
          return index;
        } catch (error) {
          throw budget.isSpent ? tooMany() : error;
        }
      }),
    ),
  );
}

interface NamedLayer {
  readonly layer: Descriptor;
  readonly name: string;
  readonly onEntry: (entries: number) => void;
}

function layerIndex(
  { layer, name, onEntry }: NamedLayer,
  image: BaseImage,
  signal: AbortSignal,
  { workspace, whole, emit }: BasePoolOptions,
): Promise<LayerIndex> {
  const { directory, content, indexes } = workspace;
  return indexing(`${directory}\0${layer.digest}`, signal, (signal) =>
    cachedIndex(indexes, layer.digest, executableFacts.id, () =>
      limits.downloads(async () => {
        emit({ kind: "index", layer });
        const isNeeded = (await whole?.isNeeded(layer, image, { signal })) === true;
        const source = isNeeded
          ? keptSource(image.source, content, { keep: "whole", directory })
          : image.source;
        return await indexLayer(source.fetch(layer, { signal }), {
          collector: executableFacts,
          name,
          onEntry,
        });
      }, signal),
    ),
  );
}

/** Builds that use one cache at the same time read a layer once. */
const indexing = sharedWork<LayerIndex>();
