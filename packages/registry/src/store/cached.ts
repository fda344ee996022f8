import type { Descriptor } from "../oci/descriptor.ts";
import type { BlobSink, BlobSource, CallOptions } from "./store.ts";

/**
 * A source whose content is kept: what the cache has is read from there, and what it has not is brought into it first, whole
 * and verified. Readers of the same content at the same time wait for one download, which ends when the last of them has
 * gone.
 */
export function cachedSource(source: BlobSource, cache: BlobSource & BlobSink): BlobSource {
  const downloads = new Map<string, Download>();

  const begin = (target: Descriptor, key: string): Download => {
    const stop = new AbortController();
    const { signal } = stop;
    let isUnderWay = true;
    const forget = (): void => {
      isUnderWay = false;
      if (downloads.get(key) === download) downloads.delete(key);
    };
    const done = cache.push(target, source.fetch(target, { signal }), { signal }).finally(forget);
    // Those who wait have it; nobody else needs to.
    done.catch(() => {});
    const download: Download = {
      done,
      readers: 0,
      cancel() {
        if (!isUnderWay) return;
        forget();
        stop.abort(new Error("Nobody waits for the download any more."));
      },
    };
    downloads.set(key, download);
    return download;
  };

  const bring = async (target: Descriptor, signal: AbortSignal | undefined): Promise<void> => {
    const key = `${target.digest} ${target.size} ${target.mediaType}`;
    const download = downloads.get(key) ?? begin(target, key);
    download.readers += 1;
    try {
      await orAborted(download.done, signal);
    } finally {
      download.readers -= 1;
      if (download.readers === 0) download.cancel();
    }
  };

  return {
    async *fetch(target, options = {}) {
      options.signal?.throwIfAborted();
      if (!(await cache.exists(target, options))) await bring(target, options.signal);
      yield* cache.fetch(target, options);
    },
    async exists(target: Descriptor, options?: CallOptions) {
      return (await cache.exists(target, options)) || (await source.exists(target, options));
    },
  };
}

interface Download {
  readonly done: Promise<void>;
  /** Who waits for it. */
  readers: number;
  cancel(): void;
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  signal.throwIfAborted();
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
