import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage, cacheUsage, memoryTree, type BuildEvent, type BuildOptions } from "@undocked/core";
import type { Descriptor } from "@undocked/registry";
import { startRegistry } from "@undocked/registry/server";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { mergedUsrBase } from "../support/bases.ts";
import { startBench, type Bench } from "../support/build-and-read.ts";
import { startCacheBench } from "../support/cache-bench.ts";
import { countedTree } from "../support/counted-tree.ts";
import { joinCli } from "../support/joined-cli.ts";
import { randomBytes, validateImage } from "../support/random-image.ts";

/* What is taken out of the cache is missed by nobody who does not need it, and made again for who does. */

let bench: Bench;
let base: string;
let place: string;
let cache: string;

beforeAll(async () => {
  bench = await startBench();
  base = await bench.publish("base", await mergedUsrBase());
});
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-eviction-"));
  cache = join(place, "cache");
  return () => rmSync(place, { recursive: true, force: true });
});

/** Pushes, and reads what has arrived. */
async function publish(tag: string, options: BuildOptions): Promise<readonly Descriptor[]> {
  await using image = await buildImage({
    cache,
    registry: bench.client,
    tags: [tag],
    push: true,
    ...options,
  });
  await validateImage(image.root, bench.client.repository(tag));
  return image.layers;
}

const blobOf = (layer: Descriptor | undefined): string =>
  join(cache, "content/blobs", layer?.digest.replace(":", "/") ?? "");

/** As if nothing of the cache had been of use for so long, but what is being written. */
function age(directory: string, seconds: number): void {
  const time = Date.now() / 1000 - seconds;
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true }))
    if (entry.isFile() && !entry.name.endsWith(".tmp"))
      utimesSync(join(entry.parentPath, entry.name), time, time);
}

async function sizeOf(directory: string): Promise<number> {
  return Object.values(await cacheUsage(directory)).reduce((sum, { size }) => sum + size, 0);
}

test("an evicted blob is made again only if somebody needs its bytes", async () => {
  const { context, read } = countedTree({ "/a/1": "one", "/a/2": "two" });
  const options = { dockerfile: { text: `FROM ${base}\nCOPY a /srv/a/\n` }, context };
  const tag = `${bench.registry.host}/evicted:1`;
  const first = await publish(tag, options);
  const own = first.at(-1);
  expect([...read]).toEqual(["/a/1", "/a/2"]);
  read.clear();
  rmSync(blobOf(own));

  // The registry has it, whether the build is the same or another with the same layer.
  expect(await publish(tag, options)).toEqual(first);
  expect(await publish(tag, { ...options, labels: { a: "b" } })).toEqual(first);
  expect([[...read], existsSync(blobOf(own))]).toEqual([[], false]);

  await using other = await startRegistry();
  expect(await publish(`${other.host}/evicted:1`, options)).toEqual(first);
  expect([[...read], existsSync(blobOf(own))]).toEqual([["/a/1", "/a/2"], true]);
});

test("a build brings a cache under its bound: what was of use the longest time ago goes first", async () => {
  const options = (name: string): BuildOptions => ({
    dockerfile: { text: "FROM scratch\nCOPY f /\n" },
    context: memoryTree({ "/f": Buffer.from(randomBytes(name, 300_000)) }),
  });
  const tag = (name: string): string => `${bench.registry.host}/bound-${name}:1`;
  const [[first], [second]] = [await publish(tag("1"), options("1")), await publish(tag("2"), options("2"))];
  age(cache, 7200);
  // The first is of use again: somebody who has not got it is sent its bytes.
  await publish(tag("3"), options("1"));
  const before = await sizeOf(cache);
  await using _ = await buildImage({ ...options("small"), cache, cacheMaxSize: before - 1 });
  expect([first, second].map((layer) => existsSync(blobOf(layer)))).toEqual([true, false]);
  age(cache, 7200);
  await using _again = await buildImage({
    cache,
    dockerfile: { text: "FROM scratch\nLABEL a=b\n" },
    cacheMaxSize: 0,
  });
  expect(await sizeOf(cache)).toBeLessThan(10_000);
  expect(await publish(tag("4"), options("2"))).toEqual([second]);
});

const moments: readonly BuildEvent["kind"][] = ["base", "index", "step", "layer", "content"];

test("a build is not hurt by one that empties the cache, at whatever moment", async () => {
  await using made = await startCacheBench();
  const bin = await joinCli(join(place, "cli"));
  const dockerfile = { text: made.text };
  const expected = await made.build({ dockerfile, cache: false });
  await made.build({ dockerfile, cache });
  const emptied: string[] = [];
  for (const isWarm of [false, true])
    for (const moment of moments) {
      const own = join(place, `${moment}-${isWarm}`);
      if (isWarm) cpSync(cache, own, { recursive: true });
      const empty = (): void => {
        age(own, 7200);
        execFileSync(process.execPath, [bin, "cache", "prune", "--max-size=0kB", `--cache-dir=${own}`]);
        emptied.push(`${moment} ${isWarm ? "warm" : "cold"}`);
      };
      let isDone = false;
      const onEvent = ({ kind }: BuildEvent): void => {
        if (isDone || kind !== moment) return;
        isDone = true;
        empty();
      };
      expect(await made.build({ dockerfile, cache: own, onEvent })).toBe(expected);
      expect(await made.build({ dockerfile, cache: own })).toBe(expected);
    }
  // With everything at hand no layer of a base is indexed.
  const all = ["cold", "warm"].flatMap((state) => moments.map((moment) => `${moment} ${state}`));
  expect(emptied).toEqual(all.filter((one) => one !== "index warm"));
});
