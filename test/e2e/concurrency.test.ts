import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildImage, memoryTree, type BuildOptions } from "@undocked/core";
import { nodeFetchTransport, registryClient } from "@undocked/registry";
import { mergedUsrBase, plainBase } from "../support/bases.ts";
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

  test("without a client of their own share one, and what they ask for at the same time is asked once", async () => {
    const before = bench.registry.requests.length;
    const images = await Promise.all(
      Array.from({ length: 10 }, (_, number) =>
        buildImage({
          dockerfile: { text: `FROM ${base}\nCOPY f /srv/f\n` },
          context: memoryTree({ "/f": `${number}` }),
          cache: join(place, "fresh"),
        }),
      ),
    );
    const asked = bench.registry.requests.slice(before).map(({ method, path }) => `${method} ${path}`);
    // Who comes late asks for the tag again, and for nothing else.
    const content = asked.filter((request) => !request.endsWith("/manifests/latest"));
    expect(content.length).toBeGreaterThan(0);
    expect(new Set(content).size).toBe(content.length);
    for (const image of images) await image[Symbol.asyncDispose]();
  });

  test("make a layer that several of them have once", async () => {
    const tree = memoryTree({ "/f": "the same" });
    let opened = 0;
    const context = {
      ...tree,
      open(path: string) {
        const content = tree.open(path);
        return {
          ...content,
          openFile() {
            opened += 1;
            const file = content.openFile?.();
            if (file === undefined) throw new Error("no file");
            return file;
          },
        };
      },
    };
    const dockerfile = { text: "FROM scratch\nCOPY f /f\n" };
    const cache = join(place, "layers");
    const images = await Promise.all(
      Array.from({ length: 10 }, () => buildImage({ dockerfile, context, cache })),
    );
    expect([new Set(images.map(({ digest }) => digest)).size, opened]).toEqual([1, 1]);
    for (const image of images) await image[Symbol.asyncDispose]();
  });

  test("do not end with one that is stopped", async () => {
    const stop = new AbortController();
    const options = (signal?: AbortSignal) => ({
      dockerfile: { text: `FROM ${base}\nCOPY f /srv/f\n` },
      context: memoryTree({ "/f": "f" }),
      cache: join(place, "stopped"),
      registry: bench.client,
      ...(signal === undefined ? {} : { signal }),
    });
    const stopped = buildImage({
      ...options(stop.signal),
      onEvent: ({ kind }) => kind === "base" && stop.abort(new Error("stopped")),
    });
    const others = Promise.all([1, 2, 3].map(() => buildImage(options())));
    await expect(stopped).rejects.toThrow("stopped");
    const images = await others;
    expect(new Set(images.map(({ digest }) => digest)).size).toBe(1);
    for (const image of images) await image[Symbol.asyncDispose]();
  });
});

describe("stages at the same time", () => {
  let bench: Bench;

  beforeAll(async () => {
    bench = await startBench();
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  const build = (text: string, files: Record<string, string>, more: BuildOptions = {}) =>
    buildImage({
      dockerfile: { text },
      context: memoryTree(files),
      cache: false,
      registry: bench.client,
      ...more,
    });

  test("read their bases together: neither waits for the other", async () => {
    const [one, two] = await Promise.all([
      bench.publish("one", await mergedUsrBase()),
      bench.publish("two", await plainBase()),
    ]);
    const text = `FROM ${one} AS a\nFROM ${two}\nCOPY --from=a /etc/machine /m\n`;
    const { layers } = await bench.build({ dockerfile: { text }, context: memoryTree({}) });
    // Each answers only once both are asked for.
    let both: () => void = () => {};
    const asked = new Set<string>();
    const together = new Promise<void>((resolve) => (both = resolve));
    const transport = nodeFetchTransport();
    await using client = registryClient({
      credentials: "anonymous",
      transport: async (request) => {
        const [, repository] = /\/v2\/([^/]+)\/blobs\/sha256/.exec(request.url) ?? [];
        const answer = await transport(request);
        if (repository === undefined || Number(answer.headers.get("content-length")) < 10_000) return answer;
        asked.add(repository);
        if (asked.size === 2) both();
        await together;
        return answer;
      },
    });
    await using image = await build(text, {}, { registry: client });
    expect(image.layers).toHaveLength(layers.length);
    transport.close?.();
  });

  test("fail as if they came one after the other: the first fault of the text is told", async () => {
    const base = await bench.publish("faults", await plainBase());
    const text = [
      `FROM ${base} AS slow`,
      "COPY --chown=nobody-knows f /f",
      "FROM scratch AS fast",
      "COPY --chown=nor-this f /f",
      "FROM scratch",
      "COPY --from=fast /f /f",
      "COPY --from=slow /f /g",
    ].join("\n");
    for (let round = 0; round < 3; round += 1) {
      await expect(build(text, { "/f": "f" })).rejects.toMatchObject({
        code: "OWNER_UNKNOWN",
        location: { line: 2 },
      });
    }
  });

  test("do not wait for a later base when the build cannot succeed", async () => {
    const [one, two] = [
      await bench.publish("first", await plainBase()),
      await bench.publish("never", await mergedUsrBase()),
    ];
    const transport = nodeFetchTransport();
    let isStopped = false;
    await using client = registryClient({
      credentials: "anonymous",
      transport: async (request) => {
        const answer = await transport(request);
        if (!request.url.includes("/v2/never/blobs/")) return answer;
        if (Number(answer.headers.get("content-length")) < 10_000) return answer;
        answer.cancel();
        return await new Promise((_, reject) => {
          request.signal?.addEventListener("abort", () => {
            isStopped = true;
            reject(new Error("stopped"));
          });
        });
      },
    });
    const text = `FROM ${one} AS a\nCOPY --chown=nobody-knows f /f\nFROM ${two}\nCOPY --from=a /f /f\n`;
    await expect(build(text, { "/f": "f" }, { registry: client })).rejects.toMatchObject({
      code: "OWNER_UNKNOWN",
    });
    expect(isStopped).toBe(true);
    transport.close?.();
  });

  test("leave nothing behind that nobody waits for", async () => {
    const loose: unknown[] = [];
    const note = (error: unknown): unknown => loose.push(error);
    process.on("unhandledRejection", note);
    const text =
      "FROM 127.0.0.1:9/a AS a\nFROM 127.0.0.1:9/b AS b\nFROM scratch\nCOPY --from=a x /\nCOPY --from=b x /\n";
    await using client = registryClient({ credentials: "anonymous", retry: { retries: 0 } });
    const platforms = ["linux/amd64", "linux/arm64"];
    await expect(build(text, {}, { registry: client, platforms })).rejects.toMatchObject({
      message: expect.stringMatching(/^linux\/amd64: /),
    });
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    expect(loose).toEqual([]);
  });
});
