import { describe, expect, test } from "vitest";
import type { Descriptor } from "../oci/descriptor.ts";
import { digestOf } from "../oci/digest.ts";
import { cachedSource } from "./cached.ts";
import { memoryStore } from "./memory.ts";
import type { BlobSource } from "./store.ts";
import { contentOf, readAll, verified } from "./verify.ts";

const hello = new TextEncoder().encode("hello");
const blob: Descriptor = { mediaType: "a/b", digest: digestOf(hello), size: 5 };

interface Slow {
  readonly source: BlobSource;
  readonly fetches: () => number;
  readonly aborts: () => number;
  /** Lets the content come. */
  readonly release: () => void;
}

/** A source that waits before its content comes. */
function slow(content: Uint8Array = hello): Slow {
  let [fetches, aborts] = [0, 0];
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  return {
    fetches: () => fetches,
    aborts: () => aborts,
    release,
    source: {
      exists: async ({ digest }) => digest === blob.digest,
      async *fetch(target, { signal } = {}) {
        fetches += 1;
        const aborted = new Promise<void>((_, reject) =>
          signal?.addEventListener("abort", () => {
            aborts += 1;
            reject(signal.reason);
          }),
        );
        await Promise.race([released, aborted]);
        yield* verified(target, contentOf(content));
      },
    },
  };
}
const text = async (source: BlobSource, signal?: AbortSignal): Promise<string> =>
  new TextDecoder().decode(await readAll(source.fetch(blob, signal === undefined ? {} : { signal })));

describe("a cached source", () => {
  test("asks for the same content once", async () => {
    const { source, fetches, release } = slow();
    const cached = cachedSource(source, memoryStore());
    release();
    expect(await text(cached)).toBe("hello");
    expect(await text(cached)).toBe("hello");
    expect(fetches()).toBe(1);
  });

  test("shares one download among those who ask at the same time", async () => {
    const { source, fetches, release } = slow();
    const cached = cachedSource(source, memoryStore());
    const reading = Array.from({ length: 10 }, () => text(cached));
    await turns();
    release();
    expect(await Promise.all(reading)).toEqual(Array.from({ length: 10 }, () => "hello"));
    expect(fetches()).toBe(1);
  });

  test("goes on for the others when one of them gives up", async () => {
    const { source, aborts, release } = slow();
    const cached = cachedSource(source, memoryStore());
    const stop = new AbortController();
    const [one, other] = [text(cached, stop.signal), text(cached)];
    await turns();
    stop.abort(new Error("enough"));
    await expect(one).rejects.toThrow("enough");
    release();
    expect(await other).toBe("hello");
    expect(aborts()).toBe(0);
  });

  test("ends the download when nobody waits for it, and begins anew for the next", async () => {
    const { source, fetches, aborts, release } = slow();
    const cached = cachedSource(source, memoryStore());
    const stop = new AbortController();
    const reading = [text(cached, stop.signal), text(cached, stop.signal)];
    await turns();
    stop.abort(new Error("enough"));
    for (const one of reading) await expect(one).rejects.toThrow("enough");
    await turns();
    expect(aborts()).toBe(1);
    release();
    expect(await text(cached)).toBe("hello");
    expect(fetches()).toBe(2);
  });

  test("keeps nothing that is not what its digest says, and tells everybody who waits", async () => {
    const { source, release } = slow(new TextEncoder().encode("hallo"));
    const cache = memoryStore();
    const cached = cachedSource(source, cache);
    const reading = [text(cached), text(cached)];
    release();
    for (const one of reading) await expect(one).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
    expect(await cache.exists(blob)).toBe(false);
  });

  test("knows what it has without asking the source", async () => {
    const cache = memoryStore();
    await cache.push(blob, contentOf(hello));
    const source: BlobSource = {
      exists: () => Promise.reject(new Error("asked")),
      fetch() {
        throw new Error("asked");
      },
    };
    const cached = cachedSource(source, cache);
    expect(await cached.exists(blob)).toBe(true);
    expect(await text(cached)).toBe("hello");
  });
});

/** Until everything that can go on has gone on. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
