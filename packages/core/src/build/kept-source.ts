import { ContentError, type BlobSource, type Descriptor, type LocalStore } from "@undocked/registry";
import { sharedWork } from "../cache/shared-work.ts";

export interface KeptSourceOptions {
  /** Takes what is fetched and not there yet; absent: it is passed on and not kept. */
  readonly keep?: "whole";
  /** Where the store lies: builds of one process bring the same content there once. */
  readonly directory: string;
}

/** Content from a store where it has it, else from where it lies. What is damaged in the store is fetched anew. */
export function keptSource(
  origin: BlobSource,
  store: LocalStore,
  { keep, directory }: KeptSourceOptions,
): BlobSource {
  const bring = (target: Descriptor, signal: AbortSignal | undefined): Promise<void> =>
    bringing(`${directory}\0${target.digest}`, signal, async (signal) => {
      await store.ingest(target.mediaType, origin.fetch(target, { signal }), { signal });
    });

  return {
    async *fetch(target, options = {}) {
      if (!(await store.exists(target, options))) {
        if (keep === undefined) return yield* origin.fetch(target, options);
        await bring(target, options.signal);
      }
      let isBegun = false;
      try {
        for await (const chunk of store.fetch(target, options)) {
          isBegun = true;
          yield chunk;
        }
      } catch (error) {
        if (!(error instanceof ContentError)) throw error;
        // Helps the next reader, and this one if nothing was given yet.
        await bring(target, options.signal);
        if (isBegun) throw error;
        yield* store.fetch(target, options);
      }
    },
    async exists(target, options) {
      return (await store.exists(target, options)) || (await origin.exists(target, options));
    },
  };
}

const bringing = sharedWork<void>();

/** Has nothing, and says so with an error of the caller's. */
export function absentSource(missing: (target: Descriptor) => Error): BlobSource {
  return {
    fetch: (target) => ({
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(missing(target)) }),
    }),
    exists: () => Promise.resolve(false),
  };
}
