import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildImage, memoryTree } from "@undocked/core";
import { mergedUsrBase } from "../support/bases.ts";
import { startBench, type Bench } from "../support/build-and-read.ts";

// S13: many builds in one process.
describe("ten builds at once", () => {
  let bench: Bench;
  let base: string;
  let place: string;

  beforeAll(async () => {
    bench = await startBench();
    base = await bench.publish("base", await mergedUsrBase());
    place = mkdtempSync(join(tmpdir(), "undocked-ten-"));
  });
  afterAll(async () => {
    await bench[Symbol.asyncDispose]();
    rmSync(place, { recursive: true, force: true });
  });

  const build = (number: number) =>
    buildImage({
      dockerfile: { text: `FROM ${base}\nCOPY f /srv/f\nLABEL number=${number % 5}\n` },
      context: memoryTree({ "/f": `file ${number % 5}\n` }),
      cache: join(place, "cache"),
      registry: bench.client,
      tags: [`${bench.registry.host}/ten:${number}`],
      push: true,
    });

  test("over one base and one cache are what they are alone, and read the base's layer once", async () => {
    const before = bench.registry.requests.length;
    const images = await Promise.all(Array.from({ length: 10 }, (_, number) => build(number)));
    const digests = images.map(({ digest }) => digest);
    expect(new Set(digests).size).toBe(5);
    expect(digests.slice(0, 5)).toEqual(digests.slice(5));
    const [layer] = images[0]?.layers ?? [];
    const reads = bench.registry.requests
      .slice(before)
      .filter(({ method, path }) => method === "GET" && path.endsWith(`/blobs/${layer?.digest}`));
    expect(reads).toHaveLength(1);
    for (const image of images) await image[Symbol.asyncDispose]();
    await using alone = await build(3);
    expect(alone.digest).toBe(digests[3]);
  });
});
