import { ContentError, type BlobSource, type CallOptions, type Descriptor } from "@undocked/registry";
import { layerFiles, type LayerFiles } from "../layer/layer-files.ts";
import { executableFacts } from "../preflight/file-facts.ts";
import { indexLayer } from "../rootfs/index-layer.ts";
import type { LayerIndex } from "../rootfs/layer-index.ts";
import { emptyRootFs, type RootFs } from "../rootfs/rootfs.ts";
import type { ImageDocuments } from "./documents.ts";

/** Layers that are read once, however many images share them. Disposing removes what was taken out of them. */
export interface ReadLayers extends AsyncDisposable {
  /**
   * The merged files of an image.
   *
   * @throws {ContentError} `DIGEST_MISMATCH` for a layer that is not the one of the configuration
   */
  rootFs(image: ImageDocuments): Promise<RootFs>;
}

export function readLayers(source: BlobSource, call: CallOptions): ReadLayers {
  const indexes = new Map<string, Promise<LayerIndex>>();
  const contents = new Map<string, LayerFiles>();

  function indexOf(layer: Descriptor, position: number): Promise<LayerIndex> {
    const known = indexes.get(layer.digest);
    if (known !== undefined) return known;
    const begun = indexLayer(source.fetch(layer, call), {
      collector: executableFacts,
      name: `Layer ${position + 1}`,
    });
    indexes.set(layer.digest, begun);
    return begun;
  }

  function contentOf(layer: Descriptor): LayerFiles {
    const known = contents.get(layer.digest) ?? layerFiles(() => source.fetch(layer, call));
    contents.set(layer.digest, known);
    return known;
  }

  return {
    async rootFs({ manifest: { layers }, config }) {
      const diffIds = config.rootfs.diff_ids;
      if (diffIds.length !== layers.length) {
        throw new ContentError(
          "DIGEST_MISMATCH",
          `The image has ${layers.length} layers, but its configuration lists ${diffIds.length}.`,
        );
      }
      const root = emptyRootFs();
      for (const [position, layer] of layers.entries()) {
        const index = await indexOf(layer, position);
        if (index.diffId !== diffIds[position]) {
          throw new ContentError(
            "DIGEST_MISMATCH",
            `Layer ${position + 1} unpacks to ${index.diffId}, but the configuration says ${String(diffIds[position])}.`,
          );
        }
        root.applyIndex(index, contentOf(layer));
      }
      return root;
    },
    async [Symbol.asyncDispose]() {
      for (const content of contents.values()) await content[Symbol.asyncDispose]();
    },
  };
}
