import type { LocalStore } from "@undocked/registry";
import { cachedLayer, type StoredLayer } from "../cache/cached-layer.ts";
import type { RecipeCache } from "../cache/recipe-cache.ts";
import type { LayerCompression } from "../layer/encoding.ts";
import type { LayerSink } from "../layer/make-layer.ts";
import type { BuildEvent } from "./event.ts";
import { limits } from "./limits.ts";
import { orderedWork } from "./ordered-work.ts";
import type { StageLayer } from "./stage.ts";
import { storeSink } from "./store-sink.ts";

export interface WriteLayersOptions {
  /** Has the layers of earlier builds. */
  readonly store: LocalStore;
  /** What new layers are written to. Default: the store. */
  readonly sink?: LayerSink;
  /** Where the store lies. */
  readonly directory: string;
  readonly recipes: RecipeCache | undefined;
  readonly timestamps: "epoch" | "preserve";
  readonly compression?: LayerCompression;
  readonly signal?: AbortSignal;
  readonly emit: (event: BuildEvent) => void;
}

/**
 * Makes the layers that are not known yet, several at once and each once, and tells of them in their order.
 *
 * @throws the fault of the layer that comes first in the text
 */
export async function writeLayers(
  layers: readonly StageLayer[],
  {
    store,
    sink = storeSink(store),
    directory,
    recipes,
    timestamps,
    compression,
    signal,
    emit,
  }: WriteLayersOptions,
): Promise<ReadonlyMap<StageLayer, StoredLayer>> {
  const work = orderedWork(signal);
  const wanted = [...new Set(layers)];
  const tell = inOrder((layer: StoredLayer) => emit({ kind: "layer", layer: layer.descriptor }));
  const written = await work.all(
    wanted.map((layer, position) =>
      work.run(layer.place, async (signal) => {
        const stored = await cachedLayer(recipes, store, layer.entries, {
          ...(compression === undefined ? {} : { compression }),
          ...(timestamps === "epoch" ? { epoch: layer.epoch } : {}),
          sink,
          turn: limits.layers,
          place: directory,
          signal,
        });
        tell(position, stored);
        return [layer, stored] as const;
      }),
    ),
  );
  return new Map(written);
}

/** Passes on what comes with its position, once all before it has come. */
function inOrder<T>(pass: (item: T) => void): (position: number, item: T) => void {
  const waiting = new Map<number, T>();
  let next = 0;
  return (position, item) => {
    waiting.set(position, item);
    for (let ready = waiting.get(next); ready !== undefined; ready = waiting.get(next)) {
      waiting.delete(next);
      next += 1;
      pass(ready);
    }
  };
}
