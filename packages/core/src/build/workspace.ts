import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type {
  Descriptor,
  LocalStore,
  RegistryClient,
  RegistryClientOptions,
  Resolver,
} from "@undocked/registry";
import { scratchDirectory, userHome } from "@undocked/registry/files";
import { contentCache } from "../cache/content-cache.ts";
import { indexCache, type IndexCache } from "../cache/index-cache.ts";
import { recipeCache, type RecipeCache } from "../cache/recipe-cache.ts";
import { referenceCache, type ReferenceCache } from "../cache/reference-cache.ts";
import { defaultCache } from "./default-cache.ts";
import { offlineLedger, type Offline } from "./offline.ts";
import type { BuildOptions } from "./options.ts";
import { givenClient, sharedClient } from "./shared-client.ts";
import { PlaceError } from "./system-error.ts";

/** What a build works with, and gives back when it is disposed of. */
export interface Workspace extends AsyncDisposable {
  readonly client: RegistryClient;
  /** Where content and indexes lie. */
  readonly directory: string;
  /** Takes the build's own layers, and the documents of its bases. */
  readonly content: LocalStore & Resolver;
  readonly indexes: IndexCache;
  /** `undefined`: nothing is kept for the next build. */
  readonly recipes: RecipeCache | undefined;
  /** Likewise. */
  readonly references: ReferenceCache | undefined;
  /** What names of images stand for, as far as this build has asked. */
  readonly resolved: Map<string, Promise<Descriptor>>;
  /** Where nothing may be fetched. */
  readonly offline: Offline | undefined;
  /** Says that the build has ended; what it gave may still be read. */
  ended(): void;
}

/** Opens the cache, or a directory of its own that goes with the workspace. */
export async function openWorkspace(options: BuildOptions): Promise<Workspace> {
  const { cache, registry } = options;
  // Before there is a directory to be taken away: its options may be refused.
  const shared = isClient(registry) ? givenClient(registry) : sharedClient(registry);
  const opened = cache === false ? scratchDirectory() : undefined;
  const temporary = await opened?.catch(async (error: unknown) => {
    await shared[Symbol.asyncDispose]();
    throw error;
  });
  const directory = temporary ?? cacheDirectory(cache);
  const kept = temporary === undefined ? directory : undefined;
  return {
    client: shared.client,
    directory,
    content: contentCache(contentOf(directory)),
    indexes: indexCache(join(directory, "indexes")),
    recipes: openRecipes(options),
    references: kept === undefined ? undefined : referenceCache(join(kept, "references")),
    resolved: new Map(),
    offline: options.offline === true ? offlineLedger(kept) : undefined,
    ended: () => shared.leave(),
    async [Symbol.asyncDispose]() {
      await shared[Symbol.asyncDispose]();
      if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
    },
  };
}

/** Where content lies in a cache. */
export function contentOf(directory: string): string {
  return join(directory, "content");
}

/** What a client is made with; nothing for one that is shared. */
export function clientOptions(registry: BuildOptions["registry"]): RegistryClientOptions {
  return registry === undefined || isClient(registry) ? {} : registry;
}

/** What is known of earlier builds' layers and files. */
export function openRecipes({ cache }: BuildOptions): RecipeCache | undefined {
  return cache === false ? undefined : recipeCache(join(cacheDirectory(cache), "recipes"));
}

/**
 * Where the cache lies: the directory named, else `undocked` in the user's cache directory.
 *
 * @throws {PlaceError} `CACHE_UNUSABLE` where none is named and the user has none
 */
export function cacheDirectory(cache: string | false | undefined): string {
  const directory = typeof cache === "string" ? cache : defaultCache(process.env, userHome());
  if (directory !== undefined) return resolve(directory);
  throw new PlaceError("CACHE_UNUSABLE", "This user has no home directory, and so no place for a cache.", {
    hint: "Name a directory for the cache, or set XDG_CACHE_HOME to one.",
  });
}

function isClient(registry: BuildOptions["registry"]): registry is RegistryClient {
  return registry !== undefined && "repository" in registry;
}
