import { buildImage, type BuildOptions } from "@undocked/core";
import { copyImage, registryClient, type Diagnostic, type RegistryClient } from "@undocked/registry";
import { startRegistry, type RunningRegistry } from "@undocked/registry/server";
import type { MadeImage } from "./make-image.ts";
import { validateImage } from "./random-image.ts";
import { readImage, type ReadImage } from "./read-image.ts";

/** A registry, a client for it, and builds that are judged by what the registry has afterwards. */
export interface Bench extends AsyncDisposable {
  readonly registry: RunningRegistry;
  readonly client: RegistryClient;
  /** Puts a base there; gives its reference. */
  publish(name: string, image: MadeImage): Promise<string>;
  /** Builds, pushes to `built:latest`, and reads it back. */
  build(options: BuildOptions): Promise<ReadImage & { readonly warnings: readonly Diagnostic[] }>;
}

export async function startBench(): Promise<Bench> {
  const registry = await startRegistry();
  const client = registryClient({ credentials: "anonymous" });
  return {
    registry,
    client,
    async publish(name, image) {
      await copyImage(image.root, image.store, client.repository(`${registry.host}/${name}`), {
        tags: ["latest"],
      });
      return `${registry.host}/${name}:latest`;
    },
    async build(options) {
      const tags = [`${registry.host}/built:latest`];
      await using image = await buildImage({ cache: false, registry: client, ...options, tags, push: true });
      const repository = client.repository(`${registry.host}/built`);
      const root = await repository.resolve("latest");
      await validateImage(root, repository);
      return { ...(await readImage(root, repository)), warnings: image.warnings };
    },
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await registry.close();
    },
  };
}
