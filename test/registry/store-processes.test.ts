import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ociLayout } from "@undocked/registry";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { compilePackage, runScript } from "../support/run-script.ts";

let directory: string;
beforeAll(() => compilePackage("registry"));
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "undocked-processes-"));
});
afterEach(() => rm(directory, { recursive: true }));

const tagMany = `
import { contentOf, encodeJson, MediaType, ociLayout } from "@undocked/registry";
const [directory, name, count] = process.argv.slice(1);
const layout = ociLayout(directory);
const config = await layout.ingest(MediaType.ociEmpty, contentOf(encodeJson({})));
for (let number = 0; number < Number(count); number++) {
  const manifest = { schemaVersion: 2, config, layers: [], annotations: { name, number: String(number) } };
  const root = await layout.ingest(MediaType.ociManifest, contentOf(encodeJson(manifest)));
  await layout.tag(root, name + "-" + number);
}`;

describe("a layout that several processes write to at once", () => {
  test("has every name that each of them gave", async () => {
    const names = ["one", "two", "three"];
    const layout = join(directory, "layout");
    await Promise.all(names.map((name) => runScript(tagMany, [layout, name, "40"])));
    const store = ociLayout(layout);
    const roots = await store.roots();
    expect(roots).toHaveLength(names.length * 40);
    for (const name of names) {
      for (let number = 0; number < 40; number++) {
        const root = await store.resolve(`${name}-${number}`);
        expect(await store.exists(root)).toBe(true);
      }
    }
    expect((await readdir(layout)).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  });
});

// 256 MiB of noise that is made as it goes, in and out again.
const copyLarge = `
import { createCipheriv } from "node:crypto";
import * as registry from "@undocked/registry";
const [kind, path] = process.argv.slice(1);
const { contentOf, copyImage, encodeJson, MediaType, ociLayout, tally } = registry;
const chunk = 1024 * 1024;
async function* noise() {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16));
  for (let count = 0; count < 256; count++) yield cipher.update(Buffer.alloc(chunk));
}
const from = ociLayout(path + ".layout");
const layer = await from.ingest(MediaType.ociLayer, noise());
const config = await from.ingest(MediaType.ociConfig, contentOf(encodeJson({
  architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [layer.digest] } })));
const root = await from.ingest(MediaType.ociManifest, contentOf(encodeJson({
  schemaVersion: 2, mediaType: MediaType.ociManifest, config, layers: [layer] })));
const [write, read] = kind === "oci"
  ? [registry.ociArchive, registry.openOciArchive]
  : [registry.dockerArchive, registry.openDockerArchive];
const sink = await write(path);
await copyImage(root, from, sink, { tags: ["v1"] });
await sink.commit();
const source = await read(path);
const seen = tally();
for await (const piece of source.fetch(layer)) seen.update(piece);
await source[Symbol.asyncDispose]();
console.log(JSON.stringify({ same: seen.digest() === layer.digest, peak: process.resourceUsage().maxRSS * 1024 }));
`;

describe("archives of a large layer", () => {
  test.each(["oci", "docker"])("%s: are written and read with little memory", async (kind) => {
    const result: unknown = JSON.parse(await runScript(copyLarge, [kind, join(directory, "image.tar")]));
    expect(result).toMatchObject({ same: true });
    const { peak } = result as { peak: number };
    // Node alone has some 50 MB; the layer is 268 MB.

    expect(peak).toBeLessThan(160e6);
  });
});
