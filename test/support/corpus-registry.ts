import {
  copyImage,
  encodeJson,
  MediaType,
  memoryStore,
  nodeFetchTransport,
  registryClient,
} from "@undocked/registry";
import type { RegistryClient, Transport } from "@undocked/registry";
import { startRegistry, type RunningRegistry } from "@undocked/registry/server";
import { gzipSync } from "node:zlib";
import { digestOf, type ImageConfig } from "@undocked/registry";
import { put, type MadeImage } from "./make-image.ts";
import { tarOf, type CorpusEntry } from "./corpus-tree.ts";

/** A base image of the corpus: its layers, and what its configuration says beside them. */
export interface CorpusBase {
  readonly layers: readonly (readonly CorpusEntry[])[];
  readonly config: Partial<ImageConfig>;
}

/** A registry that every name leads to, so that `registry.test/corpus/base` is found and nothing outside is asked. */
export interface CorpusRegistry extends AsyncDisposable {
  readonly registry: RunningRegistry;
  readonly client: RegistryClient;
}

export async function corpusRegistry(bases: Readonly<Record<string, CorpusBase>>): Promise<CorpusRegistry> {
  const registry = await startRegistry();
  const inner = nodeFetchTransport({ environment: {} });
  const transport: Transport = (request) => {
    const { tls: _, ...plain } = request;
    const { pathname, search } = new URL(request.url);
    return inner({ ...plain, url: `http://${registry.host}${pathname}${search}` });
  };
  const client = registryClient({ credentials: "anonymous", transport, retry: { retries: 0 } });
  for (const [name, base] of Object.entries(bases)) await publish(name, base, client);
  return {
    registry,
    client,
    async [Symbol.asyncDispose]() {
      inner.close?.();
      await registry.close();
    },
  };
}

async function publish(name: string, base: CorpusBase, client: RegistryClient): Promise<void> {
  const { root, store } = await corpusImage(base, "gzip");
  const [repository = "", tag = "latest"] = name.split(/:(?=[^/]*$)/);
  await copyImage(root, store, client.repository(repository), { tags: [tag] });
}

/** With layers as they are, its digest is the same whatever zlib the tests run with. */
export async function corpusImage(
  { layers, config }: CorpusBase,
  compression: "gzip" | "none",
): Promise<MadeImage> {
  const store = memoryStore();
  const gzip = compression === "gzip";
  const descriptors = [];
  const diffIds = [];
  for (const entries of layers) {
    const tar = await tarOf(entries);
    diffIds.push(digestOf(tar));
    const mediaType = gzip ? MediaType.ociLayerGzip : MediaType.ociLayer;
    descriptors.push(await put(store, mediaType, gzip ? gzipSync(tar) : tar));
  }
  const created = "2019-05-05T00:00:00Z";
  const document = {
    created,
    architecture: "amd64",
    os: "linux",
    ...config,
    rootfs: { type: "layers", diff_ids: diffIds },
    history: layers.map((_, at) => ({ created, created_by: `base layer ${at}` })),
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    config: await put(store, MediaType.ociConfig, encodeJson(document)),
    layers: descriptors,
  };
  return { root: await put(store, MediaType.ociManifest, encodeJson(manifest)), store };
}
