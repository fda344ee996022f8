import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildImage, type BuildOptions } from "@undocked/core";
import { UndockedError, type Diagnostic, type Platform } from "@undocked/registry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { corpusRegistry, type CorpusBase, type CorpusRegistry } from "../support/corpus-registry.ts";
import { corpusDirectory, needsRoot, toolsFor, type CorpusEntry } from "../support/corpus-tree.ts";
import { readCorpus } from "../support/corpus.ts";
import { compared, flatten, flattenDirectory, type ExpectedNode } from "../support/flat-image.ts";
import { validateImage } from "../support/random-image.ts";
import { readImage, type ReadImage } from "../support/read-image.ts";
import { findProgram, lacks, lacksRoot } from "../support/tools.ts";

/*
 * Every end-to-end case of the corpus: built from a directory, pushed, read back, and compared with what BuildKit made of
 * it. Every fifth is unpacked by umoci as well.
 */

interface Case {
  readonly id: string;
  readonly context: readonly CorpusEntry[];
  readonly dockerfile: string;
  readonly review?: string;
  readonly args: {
    readonly buildArgs?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
    readonly target?: string;
    readonly platform?: string;
    /** Where in the context the Dockerfile lies; absent: nowhere. */
    readonly file?: string;
    readonly namedContexts?: Readonly<Record<string, NamedContext>>;
    readonly rewriteTimestamp?: boolean;
  };
  readonly expect: {
    readonly error?: string;
    readonly errorLine?: number;
    readonly config?: Readonly<Record<string, unknown>>;
    readonly platform?: Platform;
    readonly author?: string;
    readonly created?: string;
    readonly history?: readonly HistoryText[];
    readonly historyCreated?: readonly string[];
    readonly warnings?: readonly CheckWarning[];
    readonly rootfs?: Readonly<Record<string, ExpectedNode>>;
  };
}

interface HistoryText {
  readonly created_by?: string;
  readonly empty_layer?: boolean;
}

interface CheckWarning {
  readonly rule: string;
  readonly message: string;
  readonly line: number;
}

type NamedContext = { readonly image: string } | { readonly files: readonly CorpusEntry[] };

interface Corpus {
  readonly bases: Readonly<Record<string, CorpusBase>>;
  readonly cases: readonly Case[];
}

const { bases, cases } = readCorpus<Corpus>("dockerfile/semantics.json");

/** Cases whose recorded result is an accident of BuildKit: what is done here instead (docs/dockerfile.md). */
const decided: Readonly<Record<string, { readonly code: string; readonly line: number } | "built">> = {
  "config-expose-nested-default-bug": "built",
  "workdir-user-unknown-name": { code: "OWNER_UNKNOWN", line: 3 },
  "copy-chown-negative": { code: "DOCKERFILE_INVALID", line: 2 },
  "copylink-chown-name": { code: "DOCKERFILE_INVALID", line: 2 },
};

/** Cases that are not run, with the reason. */
function reasonToSkip({ context }: Case): string | undefined {
  if (lacksRoot && context.some(needsRoot)) return "owners and devices are root's to make";
  const missing = context.flatMap(toolsFor).find((tool) => findProgram(tool) === undefined);
  return missing === undefined ? undefined : `${missing} makes a file of its context`;
}

const skipped = cases.flatMap((each) => reasonToSkip(each) ?? []);
console.log(
  `semantics.json: ${cases.length} cases, ${skipped.length} skipped: ${[...new Set(skipped)].join("; ")}`,
);

let bench: CorpusRegistry;

beforeAll(async () => {
  bench = await corpusRegistry(bases);
});

afterAll(() => bench[Symbol.asyncDispose]());

describe("what BuildKit makes of it", () => {
  for (const each of cases) {
    test.skipIf(reasonToSkip(each) !== undefined)(each.id, async () => {
      await using prepared = await prepare(each);
      const review = decided[each.id];
      if (each.expect.error !== undefined && review === undefined) {
        await expectRefused(each, prepared.options);
        return;
      }
      if (typeof review === "object") {
        const { code, line } = review;
        await expect(buildImage(prepared.options)).rejects.toMatchObject({ code, location: { line } });
        return;
      }
      await expectBuilt(each, prepared.options);
    });
  }
});

describe.skipIf(lacks("umoci") || lacksRoot)("what umoci unpacks", () => {
  const built = cases.filter(({ expect: { rootfs } }, at) => rootfs !== undefined && at % 5 === 0);
  for (const each of built) {
    test.skipIf(reasonToSkip(each) !== undefined)(each.id, async () => {
      await using prepared = await prepare(each);
      const scratch = await mkdtemp(join(tmpdir(), "undocked-umoci-"));
      try {
        const layout = join(scratch, "layout");
        const outputs = [{ type: "oci-layout", path: layout, tag: "it" }] as const;
        await using _ = await buildImage({ ...prepared.options, outputs });
        const bundle = join(scratch, "bundle");
        await promisify(execFile)("umoci", ["unpack", "--image", `${layout}:it`, bundle]);
        const image = await flattenDirectory(join(bundle, "rootfs"));
        const { seen, wanted } = compared(image, each.expect.rootfs ?? {});
        expect(seen).toEqual(wanted);
      } finally {
        await rm(scratch, { recursive: true, force: true });
      }
    });
  }
});

async function expectBuilt(each: Case, options: BuildOptions): Promise<void> {
  const { expect: expected } = each;
  const name = `${bench.registry.host}/built/${each.id.toLowerCase()}`;
  await using built = await buildImage({ ...options, tags: [name], push: true });
  const repository = bench.client.repository(name);
  const root = await repository.resolve("latest");
  await validateImage(root, repository);
  const image = await readImage(root, repository);
  const { seen, wanted } = compared(await flatten(image.manifest, repository), expected.rootfs ?? {});
  expect(seen).toEqual(wanted);
  const { config } = image;
  // Docker's own, and of no use without its Windows: left out.
  const { ArgsEscaped: _, ...fields } = expected.config ?? {};
  if (each.id !== "config-expose-nested-default-bug") expect(config.config).toEqual(fields);
  else expect(config.config?.ExposedPorts).toEqual({ "80/tcp": {} });
  const { architecture, os, variant } = config;
  expect({ architecture, os, ...(variant === undefined ? {} : { variant }) }).toEqual(expected.platform);
  expect(config.author).toBe(expected.author);
  if (each.review === undefined)
    expect(historyOf(image)).toEqual(expectedHistory(image, expected.history ?? []));
  if (expected.created !== undefined) expect(config.created).toBe(expected.created);
  if (expected.historyCreated !== undefined)
    expect(config.history?.map(({ created }) => created)).toEqual(expected.historyCreated);
  expectWarnings(built.warnings, expected.warnings ?? []);
}

async function expectRefused({ expect: expected }: Case, options: BuildOptions): Promise<void> {
  const error = await buildImage(options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof UndockedError)) throw new Error(`it was not refused, but gave ${String(error)}`);
  // What BuildKit says around the message: where its line stood, how its cache is made, its own temporary names.
  const core = (expected.error ?? "")
    .replace(/^dockerfile parse error on line \d+: /, "")
    .replace(/^failed to compute cache key: failed to calculate checksum of ref <id>: /, "")
    .replace("the Dockerfile cannot be empty", "file with no instructions");
  for (const part of core.split("<tmp>")) expect(error.message).toContain(part.trim());
  if (expected.errorLine !== undefined) expect(error.location?.line).toBe(expected.errorLine);
}

function historyOf({ config }: ReadImage): HistoryText[] {
  return (config.history ?? []).map(({ created_by: text, empty_layer: empty }) => ({
    ...(text === undefined ? {} : { created_by: text }),
    ...(empty === true ? { empty_layer: true } : {}),
  }));
}

/**
 * The one difference that is meant: a WORKDIR that finds its directory makes no layer and says so with `empty_layer`, where
 * BuildKit writes a layer with nothing in it.
 */
function expectedHistory({ config }: ReadImage, expected: readonly HistoryText[]): HistoryText[] {
  return expected.map((entry, at) => {
    const isEmpty = config.history?.[at]?.empty_layer === true;
    return isEmpty && entry.created_by?.startsWith("WORKDIR ") === true
      ? { ...entry, empty_layer: true }
      : entry;
  });
}

function expectWarnings(warnings: readonly Diagnostic[], expected: readonly CheckWarning[]): void {
  // Build checks have BuildKit's names; our own warnings are in capitals.
  const checks = warnings
    .filter(({ code }) => /[a-z]/.test(code))
    .map(({ code, message, location }) => ({ rule: code, message, line: location?.line ?? 0 }));
  const order = (list: readonly CheckWarning[]): CheckWarning[] =>
    list
      .map(({ rule, message, line }) => ({ rule, message, line }))
      .toSorted((a, b) => a.line - b.line || (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  expect(order(checks)).toEqual(order(expected));
}

/** A case's files on disk, and the options that say what it says. */
async function prepare({
  context,
  dockerfile,
  args,
}: Case): Promise<AsyncDisposable & { options: BuildOptions }> {
  const { file, platform, namedContexts = {}, buildArgs, labels, target, rewriteTimestamp } = args;
  // The mode that its recorder gave it.
  const own = file === undefined ? [] : [{ path: file, content: dockerfile, mode: "0666" }];
  const held = [await corpusDirectory([...context, ...own])];
  const contexts: Record<string, string> = {};
  for (const [name, value] of Object.entries(namedContexts)) {
    if ("image" in value) contexts[name] = `docker-image://${value.image}`;
    else {
      const directory = await corpusDirectory(value.files);
      held.push(directory);
      contexts[name] = directory.path;
    }
  }
  const options: BuildOptions = {
    context: held[0]?.path ?? "",
    ...(file === undefined ? { dockerfile: { text: dockerfile } } : {}),
    ...(file === undefined || /^dockerfile$/i.test(file) ? {} : { dockerfile: file }),
    ...(platform === undefined ? {} : { platforms: [platform] }),
    ...(buildArgs === undefined ? {} : { buildArgs }),
    ...(labels === undefined ? {} : { labels }),
    ...(target === undefined ? {} : { target }),
    namedContexts: contexts,
    executables: "any",
    preflight: "off",
    timestamps: rewriteTimestamp === true ? "epoch" : "preserve",
    cache: false,
    registry: bench.client,
  };
  return {
    options,
    async [Symbol.asyncDispose]() {
      for (const each of held) await each[Symbol.asyncDispose]();
    },
  };
}
