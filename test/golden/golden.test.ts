import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { buildImage, memoryTree, planBuild, type BuildOptions, type MemoryFile } from "@undocked/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { corpusRegistry, type CorpusBase, type CorpusRegistry } from "../support/corpus-registry.ts";
import { readCorpus } from "../support/corpus.ts";
import { validateImage } from "../support/random-image.ts";
import { readImage } from "../support/read-image.ts";

/*
 * A folder a case: its Dockerfile, its context, and what becomes of it: the plan, the configuration, and each layer's DiffID
 * and tar headers. A golden is added and never edited: a digest that changes for the same input breaks those who pinned it.
 * A new case's expected.json is written by `UNDOCKED_WRITE_GOLDEN=1 npx vitest run test/golden`.
 */

const root = new URL("./", import.meta.url);
const names = readdirSync(root).filter((name) => existsSync(new URL(`${name}/Dockerfile`, root)));
const { bases } = readCorpus<{ readonly bases: Readonly<Record<string, CorpusBase>> }>(
  "dockerfile/semantics.json",
);

let bench: CorpusRegistry;

beforeAll(async () => {
  bench = await corpusRegistry(bases);
});

afterAll(() => bench[Symbol.asyncDispose]());

describe("golden", () => {
  test.each(names)("%s", async (name) => {
    const file = new URL(`${name}/expected.json`, root);
    const seen = await made(new URL(`${name}/`, root));
    if (process.env["UNDOCKED_WRITE_GOLDEN"] === "1" && !existsSync(file)) {
      writeFileSync(file, `${JSON.stringify(seen, null, 2)}\n`);
    }
    expect(seen).toEqual(JSON.parse(readFileSync(file, "utf8")));
  });
});

async function made(folder: URL): Promise<object> {
  const options: BuildOptions = {
    context: memoryTree(filesBelow(new URL("context/", folder), "")),
    dockerfile: { text: readFileSync(new URL("Dockerfile", folder), "utf8"), file: "Dockerfile" },
    preflight: "off",
    cache: false,
    registry: bench.client,
  };
  const plan = await planBuild(options);
  await using image = await buildImage(options);
  await validateImage(image.root, image.store);
  const { config, layers } = await readImage(image.root, image.store);
  const { diff_ids: diffIds } = config.rootfs;
  return {
    plan: plan.stages.map(({ name, from, steps }) => ({
      ...(name === undefined ? {} : { name }),
      from: from.kind,
      steps: steps.map(({ kind, at, createdBy }) => `${at.line} ${kind} ${createdBy}`),
    })),
    config,
    layers: layers.map((entries, at) => ({
      diffId: diffIds[at],
      headers: entries.map(({ text: _, ...header }) => header),
    })),
  };
}

/** With the modes that git keeps, whatever the umask was when it wrote them. */
function filesBelow(directory: URL, below: string): Record<string, MemoryFile> {
  const files: Record<string, MemoryFile> = {};
  if (!existsSync(directory)) return files;
  for (const name of readdirSync(directory)) {
    const place = new URL(encodeURIComponent(name), directory);
    const stats = lstatSync(place);
    const path = `${below}/${name}`;
    if (stats.isDirectory()) Object.assign(files, filesBelow(new URL(`${place.href}/`), path));
    else if (stats.isSymbolicLink()) files[path] = { linkTarget: readlinkSync(place) };
    else files[path] = { content: readFileSync(place), mode: (stats.mode & 0o100) === 0 ? 0o644 : 0o755 };
  }
  return files;
}
