import type { LocalStore } from "@undocked/registry";
import { cachedLayer, type StoredLayer } from "../cache/cached-layer.ts";
import type { RecipeCache } from "../cache/recipe-cache.ts";
import type { LayerCompression } from "../layer/encoding.ts";
import type { Entry } from "../layer/entry.ts";
import type { BuildEvent } from "./event.ts";

export interface WriteLayersOptions {
  /** What new layers are written to. */
  readonly store: LocalStore;
  readonly recipes: RecipeCache | undefined;
  readonly timestamps: "epoch" | "preserve";
  /** Seconds since 1970. */
  readonly epoch: number;
  readonly compression?: LayerCompression;
  readonly signal?: AbortSignal;
  readonly emit: (event: BuildEvent) => void;
}

/** Makes the layers that are not known yet, the lowest first. */
export async function writeLayers(
  layers: readonly (readonly Entry[])[],
  { store, recipes, timestamps, epoch, compression, signal, emit }: WriteLayersOptions,
): Promise<readonly StoredLayer[]> {
  const written: StoredLayer[] = [];
  for (const entries of layers) {
    signal?.throwIfAborted();
    const layer = await cachedLayer(recipes, store, entries, {
      ...(compression === undefined ? {} : { compression }),
      ...(timestamps === "epoch" ? { epoch } : {}),
      ...(signal === undefined ? {} : { signal }),
    });
    emit({ kind: "layer", layer: layer.descriptor });
    written.push(layer);
  }
  return written;
}
