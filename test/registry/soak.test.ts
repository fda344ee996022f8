import { randomBytes } from "node:crypto";
import {
  contentOf,
  digestOf,
  MediaType,
  readAll,
  registryClient,
  replayable,
  type Descriptor,
} from "@undocked/registry";
import { startRegistry } from "@undocked/registry/server";
import { afterAll, expect, test } from "vitest";

/** Numbers in [0, 1) that are the same in every run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const password = "CANARY";
// All of them take some minutes: UNDOCKED_SEEDS=50.
const seeds = Array.from({ length: Number(process.env["UNDOCKED_SEEDS"] ?? "3") }, (_, index) => index + 1);

const seen = { runs: 0, blobs: 0, failed: 0, requests: 0 };
afterAll(() => {
  const { runs, blobs, failed, requests } = seen;
  console.log(
    `${runs} of ${seeds.length} seeded runs: ${blobs} blobs up and down, ${failed} of ${requests} requests failed by a fault`,
  );
});

test.each(seeds)(
  "1,000 blobs over a line with 20 ms and 5 in 100 requests failing: all arrive, none twice, no token elsewhere (seed %i)",
  async (seed) => {
    const random = numbers(seed);
    // Five faults of one request in a hundred each.
    let faulty = 0;
    const when = (): boolean => {
      const fails = random() < 0.01;
      if (fails) faulty += 1;
      return fails;
    };
    await using registry = await startRegistry({
      auth: { type: "bearer", users: { user: password } },
      faults: [
        { kind: "delay", ms: 20 },
        { kind: "storage" },
        { kind: "status", status: 503, when },
        { kind: "status", status: 429, retryAfter: "0", when },
        { kind: "cut", after: "nothing", when },
        { kind: "cut", after: 10, when },
        { kind: "cut-upload", after: 10, when },
      ],
    });
    await using client = registryClient({
      credentials: { [registry.host]: { username: "user", password } },
      concurrency: 64,
      retry: { baseMs: 1, random },
    });
    const repository = client.repository(`${registry.host}/a`);
    const blobs = Array.from({ length: 1000 }, () => randomBytes(500));
    const described = blobs.map((blob): Descriptor => ({
      mediaType: MediaType.ociLayerGzip,
      digest: digestOf(blob),
      size: blob.byteLength,
    }));
    await Promise.all(
      blobs.map((blob, index) =>
        repository.push(
          described[index]!,
          replayable(() => contentOf(blob)),
        ),
      ),
    );
    const received = await Promise.all(described.map((it) => readAll(repository.fetch(it))));
    expect(received.every((bytes, index) => Buffer.from(bytes).equals(blobs[index]!))).toBe(true);
    const taken = registry.requests.filter(({ method, status }) => method === "PUT" && status === 201);
    expect(taken).toHaveLength(1000);
    expect(registry.openUploads()).toBe(0);
    // What came by a signed URL came to the storage, which is another origin.
    const elsewhere = registry.requests.filter(({ path }) => /[?&]signature=/.test(path));
    expect(elsewhere.length).toBeGreaterThanOrEqual(1000);
    expect(elsewhere.filter(({ credential }) => credential !== "none")).toEqual([]);
    seen.runs += 1;
    seen.blobs += received.length;
    seen.failed += faulty;
    seen.requests += registry.requests.length;
  },
  120_000,
);
