import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage, memoryTree, type BuildOptions } from "@undocked/core";
import { ociLayout, parseManifestDocument, readAll, type Digest } from "@undocked/registry";
import { startRegistry, type RunningRegistry } from "@undocked/registry/server";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { mergedUsrBase, plainBase } from "../support/bases.ts";
import { startBench, type Bench } from "../support/build-and-read.ts";
import { validateImage } from "../support/random-image.ts";

/* The layers of a base are fetched once, also where more than the list of their files is needed. */

let bench: Bench;
let other: RunningRegistry;
let place: string;
let base: string;
let tools: string;

beforeAll(async () => {
  bench = await startBench();
  other = await startRegistry();
  base = await bench.publish("base", await plainBase());
  tools = await bench.publish("tools", await mergedUsrBase());
});
afterAll(async () => {
  await other.close();
  await bench[Symbol.asyncDispose]();
});
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-once-"));
  return () => rmSync(place, { recursive: true });
});

/** The layers of a repository's image. */
async function layersOf(name: string): Promise<readonly Digest[]> {
  const repository = bench.client.repository(name);
  const document = parseManifestDocument(await readAll(repository.fetch(await repository.resolve("latest"))));
  if (document.kind !== "manifest") throw new Error(`${name} is an index`);
  return document.manifest.layers.map(({ digest }) => digest);
}

/** How often each of the layers was fetched by the build. */
async function fetched(layers: readonly Digest[], options: BuildOptions): Promise<readonly number[]> {
  const before = bench.registry.requests.length;
  await using image = await buildImage({
    dockerfile: {
      text: `FROM ${tools} AS tools\nFROM ${base}\nCOPY --from=tools /etc/passwd /srv/\nCOPY f /srv/\n`,
    },
    context: memoryTree({ "/f": "f" }),
    registry: bench.client,
    ...options,
  });
  for (const { path } of options.outputs ?? []) await validateImage(image.root, ociLayout(path));
  const asked = bench.registry.requests.slice(before).filter(({ method }) => method === "GET");
  return layers.map((layer) => asked.filter(({ path }) => path.includes(`/blobs/${layer}`)).length);
}

test.each([["kept"], [false]] as const)("for an output, with cache %s", async (cache) => {
  const layers = await layersOf(base);
  const path = join(place, "layout");
  const kept = cache === false ? false : join(place, cache);
  expect(await fetched(layers, { cache: kept, outputs: [{ type: "oci-layout", path }] })).toEqual(
    layers.map(() => 1),
  );
});

test("for a registry that does not have them", async () => {
  const layers = await layersOf(base);
  const cache = join(place, "cache");
  const push: BuildOptions = { cache, tags: [`${other.host}/app:1`], push: true };
  expect(await fetched(layers, push)).toEqual(layers.map(() => 1));
  const repository = bench.client.repository(`${other.host}/app`);
  await validateImage(await repository.resolve("1"), repository);
  expect(layers.map((layer) => isKept(cache, layer))).toEqual(layers.map(() => true));
  // Once it has them they are read for their files alone, and not kept.
  const again = join(place, "again");
  expect(await fetched(layers, { ...push, cache: again, labels: { a: "b" } })).toEqual(layers.map(() => 1));
  expect(layers.map((layer) => isKept(again, layer))).toEqual(layers.map(() => false));
});

function isKept(cache: string, layer: Digest): boolean {
  return existsSync(join(cache, "content/blobs", layer.replace(":", "/")));
}
