import { checkBuild, memoryTree, planBuild } from "@undocked/core";
import { contentOf, readAll, registryClient, type Transport } from "@undocked/registry";
import { afterAll, beforeAll, expect, test } from "vitest";
import { renderPlan } from "../../packages/cli/src/render/plan.ts";
import { corpusRegistry, type CorpusBase, type CorpusRegistry } from "../support/corpus-registry.ts";
import { readCorpus } from "../support/corpus.ts";

const { bases } = readCorpus<{ readonly bases: Readonly<Record<string, CorpusBase>> }>(
  "dockerfile/semantics.json",
);
const context = memoryTree({ "trigger.txt": "t", "a/b": "b" });
const text = `FROM registry.test/corpus/onbuild:latest AS base
FROM base
WORKDIR /w
COPY a ./
CMD ["run"]
`;

let bench: CorpusRegistry;

beforeAll(async () => {
  bench = await corpusRegistry(bases);
});

afterAll(() => bench[Symbol.asyncDispose]());

test("a plan knows the base's triggers and configuration", async () => {
  const plan = await planBuild({ context, dockerfile: { text }, cache: false, registry: bench.client });
  expect(plan.provisional).toBe(false);
  expect(plan.stages.map(({ steps }) => steps.map(({ createdBy }) => createdBy))).toEqual([
    ["COPY trigger.txt /onbuild/ # buildkit", "ENV OB=1", "LABEL ob=yes 1"],
    ["WORKDIR /w", "COPY a ./ # buildkit", 'CMD ["run"]'],
  ]);
  expect(plan.stages.at(-1)?.config).toMatchObject({
    WorkingDir: "/w",
    Cmd: ["run"],
    Labels: { ob: "yes 1" },
  });
  expect(JSON.parse(JSON.stringify(plan))).toMatchObject({
    platform: { os: "linux", architecture: "amd64" },
  });
});

test("a plan reads manifests and configurations, and no layer", async () => {
  const asked: string[] = [];
  const transport: Transport = async ({ url }) => {
    asked.push(new URL(url).pathname);
    const body = await answerOf(url);
    return {
      status: 200,
      headers: new Headers({ "Content-Type": body.mediaType }),
      body: contentOf(body.bytes),
      cancel: () => {},
    };
  };
  await using client = registryClient({ credentials: "anonymous", transport });
  await planBuild({ context, dockerfile: { text }, cache: false, registry: client });
  expect(asked.filter((path) => path.includes("/blobs/"))).toHaveLength(1);

  async function answerOf(url: string): Promise<{ readonly mediaType: string; readonly bytes: Uint8Array }> {
    const repository = bench.client.repository("registry.test/corpus/onbuild");
    const root = await repository.resolve("latest");
    const manifest = await readAll(repository.fetch(root));
    if (new URL(url).pathname.includes("/manifests/")) return { mediaType: root.mediaType, bytes: manifest };
    const { config } = JSON.parse(Buffer.from(manifest).toString());
    return { mediaType: "application/octet-stream", bytes: await readAll(repository.fetch(config)) };
  }
});

test("a plan as people read it has each instruction with its line", async () => {
  const plan = await planBuild({ context, dockerfile: { text }, cache: false, registry: bench.client });
  const shown = renderPlan(plan);
  expect(shown).toContain("stage 0 base from registry.test/corpus/onbuild:latest (line 1)");
  expect(shown).toContain("     4  layer   COPY a ./ # buildkit");
  expect(shown).toContain('  Cmd ["run"]');
});

test("what a build would refuse, its plan refuses", async () => {
  const dockerfile = { text: "FROM scratch\nCOPY nothing /\n" };
  await expect(planBuild({ context, dockerfile, cache: false })).rejects.toMatchObject({
    code: "COPY_SOURCE_MISSING",
    location: { line: 2 },
  });
});

test("a check tells faults and build checks, and asks nobody", () => {
  const found = checkBuild({ context, dockerfile: { text: "FROM scratch AS A\nCMD a\nCMD b\n" } });
  expect(found.map(({ code, location }) => [code, location?.line])).toEqual(
    expect.arrayContaining([
      ["StageNameCasing", 1],
      ["MultipleInstructionsDisallowed", 2],
      ["JSONArgsRecommended", 3],
    ]),
  );
});
