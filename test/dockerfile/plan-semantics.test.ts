import { parseDockerfile, type Dockerfile } from "@undocked/core/dockerfile";
import { parsePlatform, type ImageConfig, type Platform } from "@undocked/registry";
import { expect, test } from "vitest";
import type { PlanOptions } from "../../packages/core/src/plan/options.ts";
import { planStages } from "../../packages/core/src/plan/plan-stages.ts";
import type { BuildPlan, StagePlan } from "../../packages/core/src/plan/plan.ts";
import { readCorpus } from "../support/corpus.ts";
import { faultOf } from "../support/fault-of.ts";

interface Case {
  readonly id: string;
  readonly category: string;
  readonly dockerfile: string;
  readonly review?: string;
  readonly args: {
    readonly buildArgs?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
    readonly target?: string;
    readonly platform?: string;
    readonly namedContexts?: Readonly<Record<string, { readonly image?: string }>>;
  };
  readonly expect: {
    readonly error?: string;
    readonly errorLine?: number;
    readonly config?: Readonly<Record<string, unknown>>;
    readonly platform?: Platform;
    readonly author?: string;
    readonly history?: readonly { readonly created_by: string; readonly empty_layer?: boolean }[];
    readonly warnings?: readonly { readonly rule: string; readonly message: string; readonly line: number }[];
  };
}

interface Corpus {
  readonly bases: Readonly<Record<string, { readonly config: Partial<ImageConfig> }>>;
  readonly cases: readonly Case[];
}

const { bases, cases } = readCorpus<Corpus>("dockerfile/semantics.json");

/** Errors that only files can give, so that a plan has none: the copy engine's cases. */
const needsFiles =
  /not found|cannot replace to directory|cannot copy to non-directory|not a directory|invalid user index|illegal exclusion pattern|digest mismatch|failed to walk|file exists|too many levels|is not a directory|outside|unexpected EOF|failed to load cache key/;

const planned = cases.filter(({ expect: { error = "" } }) => !needsFiles.test(error));
console.log(`semantics.json: ${cases.length} cases; ${planned.length} of them without the errors of files`);

for (const each of cases) {
  test(each.id, () => {
    const { expect: expected } = each;
    if (expected.error !== undefined && !needsFiles.test(expected.error)) {
      expectError(each);
      return;
    }
    if (each.review !== undefined) {
      expectReviewed(each);
      return;
    }
    const plan = planCase(each);
    if (expected.warnings !== undefined)
      expect(checksOf(plan)).toEqual(sorted(withoutFiles(expected.warnings)));
    if (expected.config === undefined) return;
    const { ArgsEscaped: _, ...config } = expected.config;
    const target = plan.stages.at(-1);
    expect(target?.config).toEqual(config);
    expect(target?.author).toBe(expected.author);
    expect(plan.platform).toEqual(expected.platform);
    expect(historyOf(plan)).toEqual(
      expected.history?.filter(({ created_by: text }) => !text.startsWith("base layer")),
    );
  });
}

/** The cases whose recorded result is an accident: what is done here instead. */
function expectReviewed(each: Case): void {
  if (each.id === "config-expose-nested-default-bug") {
    expect(planCase(each).stages.at(-1)?.config.ExposedPorts).toEqual({ "80/tcp": {} });
  } else if (each.id === "copylink-chown-name" || each.id === "copy-chown-negative") {
    expect(faultOf(() => planCase(each)).location?.line).toBe(2);
  } else {
    // A name that passwd does not have: the copy engine's matter.
    planCase(each);
  }
}

function expectError(each: Case): void {
  const { error = "", errorLine } = each.expect;
  const thrown = faultOf(() => planCase(each));
  const core = error
    .replace(/^dockerfile parse error on line \d+: /, "")
    .replace("the Dockerfile cannot be empty", "file with no instructions");
  expect(thrown.message).toContain(core);
  if (errorLine !== undefined) expect(thrown.location?.line).toBe(errorLine);
}

function planCase({ dockerfile: text, args }: Case): BuildPlan {
  const dockerfile = parseDockerfile(text);
  const { platform, namedContexts, ...rest } = args;
  const options: PlanOptions = {
    ...(rest.buildArgs && { buildArgs: rest.buildArgs }),
    ...(rest.labels && { labels: rest.labels }),
    ...(rest.target !== undefined && { target: rest.target }),
    ...(platform !== undefined && { platform: parsePlatform(platform) }),
    namedContexts: Object.keys(namedContexts ?? {}),
  };
  const provisional = planStages(dockerfile, options, new Map());
  return planStages(dockerfile, options, configsOf(dockerfile, provisional, namedContexts ?? {}));
}

/** Gives the plan its bases, until it asks for no more. */
function configsOf(
  _dockerfile: Dockerfile,
  { requiredBases }: BuildPlan,
  namedContexts: Readonly<Record<string, { readonly image?: string }>>,
): Map<string, ImageConfig> {
  const configs = new Map<string, ImageConfig>();
  for (const { key, kind, reference } of requiredBases) {
    const image = kind === "named" ? namedContexts[reference]?.image : reference;
    const base = image === undefined ? undefined : bases[image];
    configs.set(key, {
      architecture: "amd64",
      os: "linux",
      rootfs: { type: "layers", diff_ids: [] },
      // What is no image begins as scratch does.
      ...(base?.config ?? { config: { WorkingDir: "/" } }),
    });
  }
  return configs;
}

function historyOf({ stages }: BuildPlan): object[] {
  const chain: StagePlan[] = [];
  for (let stage = stages.at(-1); stage !== undefined;) {
    chain.unshift(stage);
    const { from } = stage;
    stage = from.kind === "stage" ? stages.find(({ index }) => index === from.index) : undefined;
  }
  return chain.flatMap(({ steps }) =>
    steps.map(({ kind, createdBy }) => ({
      created_by: createdBy,
      ...(kind === "metadata" ? { empty_layer: true } : {}),
    })),
  );
}

type Warning = NonNullable<Case["expect"]["warnings"]>[number];

function checksOf({ warnings }: BuildPlan): Warning[] {
  return sorted(
    warnings
      .filter(({ code }) => /^[A-Z][a-z]|^JSON/.test(code))
      .map(({ code, message, location }) => ({ rule: code, message, line: location?.line ?? 0 })),
  );
}

/** Which sources are ignored is only known with the context. */
function withoutFiles(warnings: readonly Warning[]): Warning[] {
  return warnings.filter(({ rule }) => rule !== "CopyIgnoredFile");
}

function sorted(warnings: readonly Warning[]): Warning[] {
  const text = (warning: Warning) =>
    `${String(warning.line).padStart(6, "0")} ${warning.rule} ${warning.message}`;
  return [...warnings]
    .map(({ rule, message, line }) => ({ rule, message, line }))
    .sort((a, b) => (text(a) < text(b) ? -1 : 1));
}
