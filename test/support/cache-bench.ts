import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { buildImage, type BuildOptions } from "@undocked/core";
import { digestOf, ociLayout, type Digest } from "@undocked/registry";
import { startBench, type Bench } from "./build-and-read.ts";
import { directory, file, link, mergedUsrBase } from "./bases.ts";
import { makeImage } from "./make-image.ts";
import { randomBytes, validateImage } from "./random-image.ts";

/** Something to build that leaves something of every kind in a cache. */
export interface CacheBench extends AsyncDisposable {
  readonly bench: Bench;
  /** A directory that goes with the bench. */
  readonly place: string;
  readonly context: string;
  /** Upon a base behind an index, with files of another image and of the web. */
  readonly text: string;
  /** The same without the web: a build whose record says whether anything of it changed. */
  readonly recordable: string;
  /** Builds into a layout and pushes to a repository that is new; both are read and found whole. */
  build(options: BuildOptions): Promise<Digest>;
  /** Builds what was pushed before to a repository of the name; what it gives, and what is there, is read and found whole. */
  buildAgain(name: string, options: BuildOptions): Promise<Digest>;
}

export interface CacheBenchOptions {
  /** Bytes of a file of the context that does not compress, and of one that does. */
  readonly large?: number;
  /** Files of the image that is copied from, each of 4 kB that do not compress. */
  readonly imageFiles?: number;
}

/** The larger layers have more bytes than are read at once. */
export async function startCacheBench({
  large = 1_500_000,
  imageFiles = 200,
}: CacheBenchOptions = {}): Promise<CacheBench> {
  const bench = await startBench();
  const place = mkdtempSync(join(tmpdir(), "undocked-cache-"));
  const context = join(place, "context");
  const web = await serve("a file of the web\n");
  const base = await bench.publish("base", await mergedUsrBase());
  const other = await bench.publish("other", await largeImage(imageFiles));
  writeContext(context, large);
  const lines = [
    `FROM ${other} AS other`,
    `FROM ${base}`,
    "COPY --from=other /srv/0 /srv/link /srv/",
    "COPY files /a",
    "COPY large files/1 /b/",
    "COPY text /c/",
  ];
  const add = `ADD --checksum=${digestOf(web.body)} ${web.url} /srv/web`;
  // Files that were written just now are not trusted by their times.
  await sleep(2100);
  let builds = 0;

  async function deliver(name: string, options: BuildOptions): Promise<Digest> {
    const tag = `${bench.registry.host}/${name}:1`;
    await using image = await buildImage({ project: context, context, tags: [tag], push: true, ...options });
    const stores = [
      ...(options.outputs ?? []).map(({ path }) => ociLayout(path)),
      bench.client.repository(tag),
    ];
    for (const store of stores) {
      const root = await store.resolve("1");
      if (root.digest !== image.digest) throw new Error(`${root.digest} arrived, not ${image.digest}`);
      await validateImage(root, store);
    }
    // What was sent is what the store gave.
    if (options.push === false) await validateImage(image.root, image.store);
    return image.digest;
  }

  return {
    bench,
    place,
    context,
    text: [...lines, add, ""].join("\n"),
    recordable: [...lines, ""].join("\n"),
    async build(options) {
      const name = `built-${(builds += 1)}`;
      const path = join(place, name);
      const digest = await deliver(name, { ...options, outputs: [{ type: "oci-layout", path }] });
      rmSync(path, { recursive: true });
      return digest;
    },
    buildAgain: deliver,
    async [Symbol.asyncDispose]() {
      await bench[Symbol.asyncDispose]();
      web.server.closeAllConnections();
      web.server.close();
      rmSync(place, { recursive: true, force: true });
    },
  };
}

function writeContext(context: string, large: number): void {
  mkdirSync(join(context, "files"), { recursive: true });
  for (let at = 0; at < 100; at += 1)
    writeFileSync(join(context, `files/${at}`), `${at} of 100\n`.repeat(300 + at), { mode: 0o644 });
  writeFileSync(join(context, "large"), randomBytes("large", large), { mode: 0o644 });
  const text = Buffer.from(randomBytes("text", large / 2)).toString("hex");
  writeFileSync(join(context, "text"), text, { mode: 0o644 });
}

function largeImage(files: number) {
  return makeImage({
    config: { Env: ["PATH=/bin"] },
    layers: [
      [
        directory("srv"),
        link("srv/link", "0"),
        ...Array.from({ length: files }, (_, at) => file(`srv/${at}`, randomBytes(at, 4096))),
      ],
    ],
  });
}

async function serve(body: string): Promise<{ body: string; url: string; server: Server }> {
  const server = createServer((_, response) => void response.end(body)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  return { body, url: `http://127.0.0.1:${port}/file`, server };
}
