import { registryClient, type RegistryClient, type RegistryClientOptions } from "@undocked/registry";

/** A client that builds with the same options use together while they run: with its tokens, connections and limits. */
export interface SharedClient extends AsyncDisposable {
  readonly client: RegistryClient;
  /** Says that the build has ended. Who begins once all have ended gets a client of its own: credentials may have changed. */
  leave(): void;
}

interface Shared {
  readonly client: RegistryClient;
  running: number;
  held: number;
}

/** @param options - the very object that the others gave; absent: the defaults */
export function sharedClient(options: RegistryClientOptions | undefined): SharedClient {
  const key = options ?? defaults;
  const shared = joinable.get(key) ?? { client: registryClient(options), running: 0, held: 0 };
  joinable.set(key, shared);
  shared.running += 1;
  shared.held += 1;
  let isRunning = true;

  function leave(): void {
    if (!isRunning) return;
    isRunning = false;
    shared.running -= 1;
    if (shared.running === 0 && joinable.get(key) === shared) joinable.delete(key);
  }

  return {
    client: shared.client,
    leave,
    async [Symbol.asyncDispose]() {
      leave();
      shared.held -= 1;
      if (shared.held === 0) await shared.client[Symbol.asyncDispose]();
    },
  };
}

/** One that somebody else gave, and closes. */
export function givenClient(client: RegistryClient): SharedClient {
  return { client, leave() {}, [Symbol.asyncDispose]: () => Promise.resolve() };
}

const defaults = {};
const joinable = new Map<object, Shared>();
