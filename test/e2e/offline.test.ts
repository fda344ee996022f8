import { existsSync, mkdtempSync, readdirSync, rmSync, truncateSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage, memoryTree, planBuild, type BuildOptions } from "@undocked/core";
import { digestOf, ociLayout, openOciArchive } from "@undocked/registry";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { mergedUsrBase } from "../support/bases.ts";
import { startBench, type Bench } from "../support/build-and-read.ts";
import { buildCli, runCli } from "../support/cli.ts";
import { writeMade } from "../support/make-image.ts";
import { validateImage } from "../support/random-image.ts";

/* What a build online leaves behind is enough for one offline, and what is missing is told. */

let bench: Bench;
let base: string;
let place: string;

beforeAll(async () => {
  bench = await startBench();
  base = await bench.publish("base", await mergedUsrBase());
});
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-offline-"));
  return () => rmSync(place, { recursive: true, force: true });
});

const build = (options: BuildOptions = {}) =>
  buildImage({
    dockerfile: { text: `FROM ${base}\nCOPY f /bin/f\n` },
    context: memoryTree({ "/f": "f" }),
    cache: join(place, "cache"),
    registry: bench.client,
    ...options,
  });

/** Builds offline; nothing is asked of the registry. */
async function offline(options: BuildOptions = {}) {
  const before = bench.registry.requests.length;
  try {
    return await build({ ...options, offline: true });
  } finally {
    expect(bench.registry.requests.slice(before)).toEqual([]);
  }
}

const missing = async (options: BuildOptions = {}): Promise<readonly string[]> => {
  const error: unknown = await offline(options).catch((error: unknown) => error);
  expect(error).toMatchObject({ code: "OFFLINE_MISSING", hint: expect.any(String) });
  const { diagnostics, message } = error as { diagnostics?: { message: string }[]; message: string };
  return diagnostics?.map(({ message }) => message) ?? [message];
};

test("a build that was made online is made offline, to the same digest, from the cache alone", async () => {
  await using online = await build();
  await using again = await offline();
  expect(again.digest).toBe(online.digest);
  await using changed = await offline({ context: memoryTree({ "/f": "changed" }) });
  expect(changed.digest).not.toBe(online.digest);
  expect((await planBuild({ ...optionsOf(), offline: true })).provisional).toBe(false);
});

const optionsOf = (): BuildOptions => ({
  dockerfile: { text: `FROM ${base}\n` },
  context: memoryTree({}),
  cache: join(place, "cache"),
  registry: bench.client,
});

test("several platforms likewise; one that was not built before is missing by its manifest", async () => {
  const platforms = ["linux/amd64", "linux/arm64"];
  await using _first = await build();
  const [told, ...more] = await missing({ platforms });
  expect(more).toEqual([]);
  expect(told).toMatch(
    /^linux\/arm64: The manifest sha256:[0-9a-f]{64} \(\d+ bytes\) of .*base:latest is not in the cache /,
  );
  await using online = await build({ platforms });
  await using again = await offline({ platforms });
  expect(again.digest).toBe(online.digest);
});

test("images that nobody asked for are told by name, all of them", async () => {
  const text = "FROM registry.test/one:1 AS a\nFROM registry.test/two:2\nCOPY --from=a f /f\n";
  expect(await missing({ dockerfile: { text } })).toEqual([
    expect.stringContaining("registry.test/one:1"),
    expect.stringContaining("registry.test/two:2"),
  ]);
});

test("a list of files that is lost is told by its layer's digest, and hints what to do", async () => {
  await using online = await build();
  rmSync(join(place, "cache/indexes"), { recursive: true });
  const [layer] = online.layers;
  expect(await missing()).toEqual([
    expect.stringContaining(`The layer ${layer?.digest} (${layer?.size} bytes)`),
  ]);
});

test("a layout and an archive need the base's layers: they are kept by the build that fetched them whole", async () => {
  const outputs = (name: string): BuildOptions => ({
    tags: ["app:1"],
    outputs: [
      { type: "oci-layout", path: join(place, `${name}-layout`) },
      { type: "oci-archive", path: join(place, `${name}.tar`) },
    ],
  });
  await using first = await build();
  expect(await missing(outputs("none"))).toEqual([
    expect.stringContaining(`The layer ${first.layers[0]?.digest}`),
  ]);
  expect(existsSync(join(place, "none-layout"))).toBe(false);
  await using online = await build(outputs("online"));
  await using again = await offline(outputs("offline"));
  expect(again.digest).toBe(online.digest);
  await validateImage(again.root, ociLayout(join(place, "offline-layout")));
  await using archive = await openOciArchive(join(place, "offline.tar"));
  await validateImage(again.root, archive);
});

test("a base's layer is fetched once for all outputs of all builds, and again if it is damaged", async () => {
  const output = (name: string): BuildOptions => ({
    outputs: [{ type: "oci-layout", path: join(place, name) }],
  });
  await using first = await build();
  const [layer] = first.layers;
  const reads = (): number =>
    bench.registry.requests.filter(
      ({ method, path }) => method === "GET" && path.endsWith(`/blobs/${layer?.digest}`),
    ).length;
  const before = reads();
  await using _a = await build(output("a"));
  await using _b = await build(output("b"));
  expect(reads() - before).toBe(1);
  const blob = join(place, "cache/content/blobs", (layer?.digest ?? "").replace(":", "/"));
  truncateSync(blob, 10);
  await using damaged = await build(output("c"));
  await validateImage(damaged.root, ociLayout(join(place, "c")));
  expect(reads() - before).toBe(2);
});

test("a base in a layout needs no cache", async () => {
  await writeMade(await mergedUsrBase(), join(place, "base"), "base");
  const options = {
    dockerfile: { text: "FROM base\nCOPY f /bin/f\n" },
    namedContexts: { base: `oci-layout://${join(place, "base")}:base` },
  };
  await using image = await offline({
    ...options,
    cache: false,
    outputs: [{ type: "oci-layout", path: join(place, "out") }],
  });
  await validateImage(image.root, ociLayout(join(place, "out")));
});

test("without a cache nothing is known", async () => {
  await using _ = await build();
  expect(await missing({ cache: false })).toEqual([expect.stringContaining("as there is none")]);
});

test("a push is refused at once", async () => {
  await expect(offline({ push: true, tags: ["app:1"] })).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
});

test("a base by its digest is asked for once, and never again", async () => {
  const repository = bench.client.repository(base);
  const { digest } = await repository.resolve("latest");
  const dockerfile = { text: `FROM ${base.replace(":latest", "")}@${digest}\nCOPY f /bin/f\n` };
  await using first = await build({ dockerfile });
  const before = bench.registry.requests.length;
  await using again = await build({ dockerfile });
  expect([again.digest, bench.registry.requests.length]).toEqual([first.digest, before]);
});

test("what came by a tag is known by its digest", async () => {
  await using online = await build();
  const { digest } = await bench.client.repository(base).resolve("latest");
  const dockerfile = { text: `FROM ${base.replace(":latest", "")}@${digest}\nCOPY f /bin/f\n` };
  await using again = await offline({ dockerfile });
  expect(again.layers).toEqual(online.layers);
});

test("ADD takes from the cache what has a checksum, and says what it cannot fetch", async () => {
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    response.setHeader("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT").end("a file\n");
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/file?token=secret`;
  try {
    const add = (flags: string): BuildOptions => ({
      dockerfile: { text: `FROM scratch\nADD ${flags} ${url} /f\n` },
      timestamps: "preserve",
    });
    const checked = add(`--checksum=${digestOf("a file\n")}`);
    await using online = await build(checked);
    expect(asked).toBe(1);
    await using again = await offline(checked);
    await using warm = await build(checked);
    expect([again.digest, warm.digest, asked]).toEqual([online.digest, online.digest, 1]);
    const told = (await missing(add(""))).join();
    expect(told).toContain("/file is not in the cache");
    expect(told).not.toContain("secret");
  } finally {
    server.close();
  }
});

test("the command builds offline, says what is missing, and what the cache has", async () => {
  buildCli();
  const { writeFileSync } = await import("node:fs");
  writeFileSync(join(place, "Dockerfile"), `FROM ${base}\nCOPY Dockerfile /bin/f\n`);
  const undocked = (...args: readonly string[]) =>
    runCli([...args, `--cache-dir=${join(place, "cache")}`], { cwd: place });
  const refused = await undocked("build", "--offline");
  expect([refused.code, refused.stdout]).toEqual([1, ""]);
  expect(refused.stderr).toContain("[OFFLINE_MISSING]");
  const online = await undocked("build", "-q");
  const again = await undocked("build", "-q", "--offline");
  expect([again.code, again.stdout]).toEqual([0, online.stdout]);
  expect((await undocked("cache", "info")).stdout).toMatch(/references +1 files/);
  expect((await undocked("build", "--offline", "--push", "-t", "app:1")).code).toBe(2);
  expect(readdirSync(place).sort()).toEqual(["Dockerfile", "cache"]);
});
