import { mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { ociLayout, registryClient, type LocalStore, type RegistryClient } from "@undocked/registry";
import { indexCache, type IndexCache } from "../cache/index-cache.ts";
import type { BuildOptions } from "./options.ts";

/** What a build works with, and gives back when it is disposed of. */
export interface Workspace extends AsyncDisposable {
  readonly client: RegistryClient;
  /** Where content and indexes lie. */
  readonly directory: string;
  /** Takes the build's own layers, and the documents of its bases. */
  readonly content: LocalStore;
  readonly indexes: IndexCache;
}

/** Opens the cache, or a directory of its own that goes with the workspace. */
export async function openWorkspace({ cache, registry }: BuildOptions): Promise<Workspace> {
  const temporary = cache === false ? await mkdtemp(join(tmpdir(), "undocked-")) : undefined;
  const directory = temporary ?? resolve(typeof cache === "string" ? cache : defaultCache(process.env));
  const shared = isClient(registry) ? registry : undefined;
  const client = shared ?? registryClient(isClient(registry) ? {} : registry);
  return {
    client,
    directory,
    content: ociLayout(join(directory, "content")),
    indexes: indexCache(join(directory, "indexes")),
    async [Symbol.asyncDispose]() {
      if (shared === undefined) await client[Symbol.asyncDispose]();
      if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
    },
  };
}

/** By the XDG base directory specification; on Windows, the local application data. */
function defaultCache(env: NodeJS.ProcessEnv): string {
  const caches = env["XDG_CACHE_HOME"] ?? env["LOCALAPPDATA"];
  return join(caches === undefined || caches === "" ? join(homedir(), ".cache") : caches, "undocked");
}

function isClient(registry: BuildOptions["registry"]): registry is RegistryClient {
  return registry !== undefined && "repository" in registry;
}
