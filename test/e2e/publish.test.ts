import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage, memoryTree, type BuildEvent, type BuildOptions, type MemoryFile } from "@undocked/core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { mergedUsrBase, plainBase } from "../support/bases.ts";
import { startBench, type Bench } from "../support/build-and-read.ts";
import { countedTree } from "../support/counted-tree.ts";
import { validateImage } from "../support/random-image.ts";

/* What a publish sends, and what it does not. */

let bench: Bench;
let place: string;
let bases: { readonly merged: string; readonly plain: string };

beforeAll(async () => {
  bench = await startBench();
  bases = {
    merged: await bench.publish("merged", await mergedUsrBase()),
    plain: await bench.publish("plain", await plainBase()),
  };
});
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-publish-"));
  return () => rmSync(place, { recursive: true, force: true });
});

async function publish(repository: string, options: BuildOptions) {
  const before = bench.registry.requests.length;
  const events: BuildEvent[] = [];
  const tag = `${bench.registry.host}/${repository}:1`;
  const settings = { cache: join(place, "cache"), registry: bench.client, tags: [tag], push: true };
  await using image = await buildImage({ ...settings, onEvent: (event) => events.push(event), ...options });
  const requests = bench.registry.requests.slice(before);
  await validateImage(image.root, bench.client.repository(tag));
  return {
    layers: image.layers.map(({ digest }) => digest),
    requests,
    sent: requests.reduce((sum, { bytesReceived }) => sum + bytesReceived, 0),
    asked: requests.map(({ method, path }) => `${method} ${path}`),
    events,
  };
}

test("with its list of files at hand, no byte of a base passes, whatever is built upon it", async () => {
  const text = `FROM ${bases.merged}\nCOPY f /bin/f\n`;
  await publish("one", { dockerfile: { text }, context: memoryTree({ "/f": "1" }) });
  const { asked, layers } = await publish("other", {
    dockerfile: { text },
    context: memoryTree({ "/f": "2" }),
  });
  expect(asked.filter((request) => request.startsWith("GET") && request.includes("/blobs/"))).toEqual([]);
  // What the target does not have it takes over from the base's repository.
  expect(asked.some((request) => request.startsWith(`POST /v2/other/blobs/uploads/`))).toBe(true);
  expect(asked).not.toContain(`GET /v2/merged/blobs/${layers[0]}`);
});

test("with another base no layer of ours is read, compressed or sent again", async () => {
  const files = countedTree({ "/a/1": "one", "/a/2": "two", "/b": "three" });
  const text = (base: string): string => `FROM ${base}\nCOPY a /srv/a/\nCOPY b /srv/b\n`;
  const { context } = files;
  const first = await publish("swapped", { dockerfile: { text: text(bases.merged) }, context });
  expect(files.read.size).toBe(3);
  files.read.clear();
  const second = await publish("swapped", { dockerfile: { text: text(bases.plain) }, context });
  expect([...files.read]).toEqual([]);
  expect(second.layers.slice(1)).toEqual(first.layers.slice(1));
  expect(second.layers[0]).not.toBe(first.layers[0]);
  for (const digest of second.layers.slice(1))
    expect(second.asked.filter((request) => request.includes(digest))).toEqual([
      `HEAD /v2/swapped/blobs/${digest}`,
    ]);
});

test("of 10,000 files one that changed sends its layer, and no other", async () => {
  const part = (name: string, count: number): [string, MemoryFile][] =>
    Array.from({ length: count }, (_, number) => [`/${name}/${number}`, `${name} ${number}\n`]);
  const files = Object.fromEntries([...part("dependencies", 9000), ...part("app", 1000)]);
  const dockerfile = { text: "FROM scratch\nCOPY dependencies /dependencies/\nCOPY app /app/\n" };
  const first = await publish("changed", { dockerfile, context: memoryTree(files) });
  const changed = countedTree({ ...files, "/app/7": "another" });
  const second = await publish("changed", { dockerfile, context: changed.context });
  expect(second.layers[0]).toBe(first.layers[0]);
  expect([...changed.read].every((path) => path.startsWith("/app/"))).toBe(true);
  const written = second.asked.filter((request) => !/^(?:GET|HEAD) /.test(request));
  expect(written.filter((request) => request.startsWith("POST"))).toHaveLength(2); // the layer and the configuration
  expect(second.asked.filter((request) => request.includes(first.layers[0] ?? ""))).toEqual([
    `HEAD /v2/changed/blobs/${first.layers[0]}`,
  ]);
  const third = await publish("changed", {
    dockerfile,
    context: memoryTree({ ...files, "/app/7": "another" }),
  });
  expect(third.asked).toEqual(["HEAD /v2/changed/manifests/1"]);
  expect(third.sent).toBe(0);
});

test("blobs are asked for several at a time, and the manifest comes last", async () => {
  const text = ["FROM scratch", ...Array.from({ length: 8 }, (_, number) => `COPY f${number} /`)].join("\n");
  const files = Object.fromEntries(Array.from({ length: 8 }, (_, number) => [`/f${number}`, `${number}`]));
  const context = memoryTree(files);
  await publish("several", { dockerfile: { text }, context });
  const { asked } = await publish("several", { dockerfile: { text: `${text}\nLABEL a=b\n` }, context });
  expect(asked.filter((request) => request.startsWith("HEAD /v2/several/blobs/"))).toHaveLength(9);
  expect(asked.at(-1)).toMatch(/^PUT \/v2\/several\/manifests\//);
});
