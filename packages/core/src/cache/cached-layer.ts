import { ContentError, type BlobSource, type CallOptions, type LocalStore } from "@undocked/registry";
import { layerEncoding } from "../layer/encoding.ts";
import type { Entry } from "../layer/entry.ts";
import { LayerError } from "../layer/layer-error.ts";
import {
  layerDiffId,
  makeLayer,
  type Layer,
  type LayerSink,
  type MakeLayerOptions,
} from "../layer/make-layer.ts";
import { areToldApart, layerKeys } from "./layer-key.ts";
import type { RecipeCache } from "./recipe-cache.ts";
import { sharedWork } from "./shared-work.ts";

/** A layer whose bytes may have to be made when somebody reads them. */
export interface StoredLayer extends Layer {
  readonly source: BlobSource;
}

export interface CachedLayerOptions extends Omit<MakeLayerOptions, "isRepeatable"> {
  /** Takes a layer that is made, to keep it in the store or not. Default: the store. */
  readonly sink?: LayerSink;
  /** Waits for its turn before it does what reads all files. Default: there is no waiting. */
  readonly turn?: <T>(work: () => Promise<T>, signal?: AbortSignal) => Promise<T>;
  /** What the store is known by in this process: a layer that is asked for twice at the same time is made once for it. */
  readonly place?: string;
}

/**
 * Makes a layer, unless one of the same inputs was made before: then no file is read. Where files cannot be told by their
 * identities, but a layer of the same shape was made, they are read once to see whether it is the same, and nothing is compressed.
 *
 * A layer that is known and not in the store any more is made again only if it is read.
 */
export async function cachedLayer(
  recipes: RecipeCache | undefined,
  store: LocalStore,
  entries: readonly Entry[],
  { turn = (work) => work(), place, sink = store, ...options }: CachedLayerOptions,
): Promise<StoredLayer> {
  const { signal } = options;
  // Files of a compressed layer are at hand during the build alone: what needs them cannot wait for a reader.
  const isRepeatable = entries.every((entry) => entry.kind !== "file" || entry.content.readAt !== undefined);
  const make = (own = signal): Promise<Layer> =>
    makeLayer(sink, entries, { ...options, isRepeatable, ...(own === undefined ? {} : { signal: own }) });
  const lazy = (layer: Layer): StoredLayer => ({
    ...layer,
    source: lazySource(layer, store, () => makeLayer(store, entries, options)),
  });
  const { shape, inputs } = layerKeys(entries, options);
  /** Keeps what the inputs came to; `false`: some files may have been others when they were read. */
  async function noteInputs(layer: Layer): Promise<boolean> {
    if (inputs === undefined || !areToldApart(entries)) return false;
    await recipes?.write(inputs, layer);
    return true;
  }
  async function makeAlone(): Promise<Layer> {
    const layer = await turn(make, signal);
    await noteInputs(layer);
    return layer;
  }
  async function makeInTurn(): Promise<Layer> {
    if (inputs === undefined || place === undefined) return await makeAlone();
    let own: Layer | undefined;
    const shared = await making(`${place}\0${inputs}`, signal, async (together) => {
      // Somebody may have made it since it was looked for.
      const known = await recipes?.read(inputs);
      if (known !== undefined && (await store.exists(known.descriptor)))
        return { layer: known, isSure: true };
      own = await turn(() => make(together), together);
      return { layer: own, isSure: await noteInputs(own) };
    });
    // What somebody else has read may not be what is to be read here.
    return own ?? (shared.isSure ? shared.layer : await makeAlone());
  }
  if (recipes === undefined) return lazy(await makeInTurn());
  const known =
    (inputs === undefined ? undefined : await recipes.read(inputs)) ??
    ((await recipes.has(shape)) ? await turn(() => sameTar(recipes, entries, options), signal) : undefined);
  const isAtHand = known !== undefined && (isRepeatable || (await store.exists(known.descriptor)));
  const layer = isAtHand ? known : await makeInTurn();
  await recipes.note(shape);
  if (isAtHand) await noteInputs(layer);
  await recipes.write(tarKey(layer.diffId, options), layer);
  return lazy(layer);
}

interface Made {
  readonly layer: Layer;
  /** Whether its files were, when they were read, those that its key tells of. */
  readonly isSure: boolean;
}

const making = sharedWork<Made>();

async function sameTar(
  recipes: RecipeCache,
  entries: readonly Entry[],
  options: MakeLayerOptions,
): Promise<Layer | undefined> {
  return await recipes.read(tarKey(await layerDiffId(entries, options), options));
}

function tarKey(diffId: string, { compression }: MakeLayerOptions): string {
  return `tar ${layerEncoding(compression).name} ${diffId}`;
}

/** The layer from the store; made again where the store does not have it, or has it damaged. */
function lazySource({ descriptor }: Layer, store: LocalStore, make: () => Promise<Layer>): BlobSource {
  let remaking: Promise<void> | undefined;

  async function remakeOnce(): Promise<void> {
    await (remaking ??= remake().finally(() => (remaking = undefined)));
  }
  async function remake(): Promise<void> {
    const again = await make();
    if (again.descriptor.digest === descriptor.digest) return;
    throw new LayerError(
      "LAYER_INVALID",
      `The layer ${descriptor.digest} is not in the cache any more, and comes out as ${again.descriptor.digest} now.`,
      { hint: "Its files changed during the build: build again." },
    );
  }

  return {
    async *fetch(target, call) {
      if (!(await store.exists(target, call))) await remakeOnce();
      let isBegun = false;
      try {
        for await (const chunk of store.fetch(target, call)) {
          isBegun = true;
          yield chunk;
        }
      } catch (error) {
        if (!(error instanceof ContentError)) throw error;
        // The store's own bytes are damaged. Writing them anew helps the next reader, and this one if nothing was given yet.
        await remakeOnce();
        if (isBegun) throw error;
        yield* store.fetch(target, call);
      }
    },
    exists: (_target, _call?: CallOptions) => Promise.resolve(true),
  };
}
