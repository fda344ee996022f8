import { expect, test } from "vitest";
import { startBench } from "../support/build-and-read.ts";
import { corpusDirectory, type CorpusEntry } from "../support/corpus-tree.ts";
import { readCorpus } from "../support/corpus.ts";
import { flatten } from "../support/flat-image.ts";

interface Corpus {
  readonly trees: Readonly<Record<string, readonly CorpusEntry[]>>;
  readonly cases: readonly {
    readonly tree: string;
    readonly dockerignore: string;
    readonly copy: string;
    readonly files?: readonly string[];
    readonly error?: string;
  }[];
}

const { trees, cases } = readCorpus<Corpus>("dockerfile/dockerignore-trees.json");
console.log(`dockerignore-trees.json: ${cases.length} cases, 0 skipped`);

test.each(cases)("$tree with $dockerignore, $copy", async ({ tree, dockerignore, copy, files, error }) => {
  await using bench = await startBench();
  const own = { path: ".dockerignore", content: dockerignore };
  await using directory = await corpusDirectory([...(trees[tree] ?? []), own]);
  const building = bench.build({
    context: directory.path,
    dockerfile: { text: `FROM scratch\n${copy}\n` },
    executables: "any",
    preflight: "off",
  });
  if (error !== undefined) {
    const core = /".*": not found|syntax error in pattern|illegal exclusion pattern.*/.exec(error)?.[0];
    await expect(building).rejects.toMatchObject({ message: expect.stringContaining(core ?? error) });
    return;
  }
  const { manifest } = await building;
  const image = await flatten(manifest, bench.client.repository(`${bench.registry.host}/built`));
  const seen = [...image].map(([path, { type }]) => (type === "dir" ? `${path}/` : path));
  expect(seen.filter((path) => path !== "/d/").toSorted()).toEqual(files?.toSorted());
});
