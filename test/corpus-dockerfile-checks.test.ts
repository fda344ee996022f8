import { ignoreMatcher, parseDockerfile, parseIgnoreFile } from "@undocked/core/dockerfile";
import type { ImageConfig } from "@undocked/registry";
import { describe, expect, test } from "vitest";
import type { PlanOptions } from "../packages/core/src/plan/options.ts";
import { checkDockerfile, planStages } from "../packages/core/src/plan/plan-stages.ts";
import { readCorpus } from "./support/corpus.ts";
import { faultOf } from "./support/fault-of.ts";

interface Warning {
  readonly rule: string;
  readonly message: string;
  readonly line: number;
}

interface LintCase {
  readonly name: string;
  readonly dockerfile: string;
  readonly dockerignore?: string;
  readonly frontendAttrs?: Readonly<Record<string, string>>;
  readonly buildError?: string | { readonly format: readonly [string, ...string[]] };
  readonly buildErrorLine?: number;
  readonly warnings: readonly Warning[];
}

const lint = readCorpus<{ cases: readonly LintCase[] }>("dockerfile/lint-cases.json");
console.log(`lint-cases.json: ${lint.cases.length}`);

/** Every base is there, and says nothing. */
class AnyBase extends Map<string, ImageConfig> {
  override get(): ImageConfig {
    return { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } };
  }
}

describe("lint-cases.json", () => {
  for (const each of lint.cases) {
    test(each.name, () => {
      const { buildError } = each;
      if (buildError !== undefined) expectRefusal(each, messageOf(buildError));
      if (typeof buildError === "string" && buildError.startsWith("failed to parse check options")) return;
      const found = checkDockerfile(parseDockerfile(each.dockerfile), optionsOf(each), new AnyBase());
      const checks = found.filter(({ severity }) => severity === "warning");
      expect(
        sorted(
          checks.map(({ code, message, location }) => ({ rule: code, message, line: location?.line ?? 0 })),
        ),
      ).toEqual(sorted(each.warnings));
    });
  }
});

function expectRefusal(each: LintCase, message: string): void {
  const refusal = faultOf(() => planStages(parseDockerfile(each.dockerfile), optionsOf(each), new Map()));
  const { diagnostics = [] } = refusal;
  expect(diagnostics.map((diagnostic) => diagnostic.message)).toContain(message);
  if (each.buildErrorLine !== undefined) expect(refusal.location?.line).toBe(each.buildErrorLine);
}

function messageOf(error: NonNullable<LintCase["buildError"]>): string {
  if (typeof error === "string") return error;
  const [format, ...values] = error.format;
  return values.reduce((text, value) => text.replace("%s", value), format);
}

function optionsOf({ frontendAttrs = {}, dockerignore }: LintCase): PlanOptions {
  const buildArgs = Object.entries(frontendAttrs)
    .filter(([name]) => name.startsWith("build-arg:"))
    .map(([name, value]) => [name.slice("build-arg:".length), value] as const);
  return {
    buildArgs: Object.fromEntries(buildArgs),
    ...(dockerignore === undefined ? {} : { ignore: ignoreMatcher(parseIgnoreFile(dockerignore)) }),
  };
}

function sorted(warnings: readonly Warning[]): Warning[] {
  const text = ({ line, rule, message }: Warning) => `${String(line).padStart(6, "0")} ${rule} ${message}`;
  return warnings
    .map(({ rule, message, line }) => ({ rule, message, line }))
    .sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

interface ExposeCase {
  readonly expose: string;
  readonly exposedPorts?: readonly string[];
  readonly history?: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
}

const expose = readCorpus<{ cases: readonly ExposeCase[] }>("dockerfile/expose.json");

/** Upstream loses what stands before a nested expansion in the same word (§1.18.1 of the reference). */
const losesPrefix = ({ expose: text }: ExposeCase): boolean => /[^\s$"']\$\{\w+:?[-+?]/.test(text);
console.log(`expose.json: ${expose.cases.length}, ${expose.cases.filter(losesPrefix).length} left out`);

describe("expose.json", () => {
  for (const each of expose.cases) {
    test.skipIf(losesPrefix(each))(`EXPOSE ${each.expose}`, () => {
      const text = `FROM scratch\nENV P=8080 MULTI="1 2/udp" P0=x\nEXPOSE ${each.expose}\n`;
      const plan = () => planStages(parseDockerfile(text), {}, new Map());
      if (each.error !== undefined) {
        expect(faultOf(plan).message).toContain(each.error);
        expect(faultOf(plan).location?.line).toBe(3);
        return;
      }
      const { stages, warnings } = plan();
      expect(Object.keys(stages[0]?.config.ExposedPorts ?? {})).toEqual(each.exposedPorts);
      expect(stages[0]?.steps.at(-1)?.createdBy).toBe(each.history);
      expect(warnings.map(({ code, message }) => `${code}: ${message}`)).toEqual(each.warnings);
    });
  }
});

interface RefusalCase {
  readonly id: string;
  readonly dockerfile: string;
  readonly args: { readonly target?: string };
  readonly expect: {
    readonly refused: boolean;
    readonly lines?: readonly [number, number];
    readonly mentions?: string;
  };
}

const refusals = readCorpus<{ cases: readonly RefusalCase[] }>("dockerfile/run-refusal.json");
console.log(`run-refusal.json: ${refusals.cases.length}`);

describe("run-refusal.json", () => {
  test.each(refusals.cases)("$id", ({ dockerfile: text, args, expect: expected }) => {
    const run = () => {
      const dockerfile = parseDockerfile(text);
      const { requiredBases } = planStages(dockerfile, args, new Map());
      const bases = new Map(requiredBases.map(({ key, reference }) => [key, withTriggers(reference)]));
      return planStages(dockerfile, args, bases);
    };
    if (!expected.refused) {
      run();
      return;
    }
    const error = faultOf(run);
    const [first = 0, last = first] = expected.lines ?? [];
    expect(error.location?.line).toBe(first);
    expect(error.message + (error.location?.text ?? "")).toContain(expected.mentions ?? "");
    if (last > first) expect(error.message).toContain(`lines ${first} to ${last}`);
    if (error.code === "DOCKERFILE_UNSUPPORTED") expect(error.hint).toBeDefined();
  });
});

function withTriggers(reference: string): ImageConfig {
  const OnBuild = reference.includes("onbuild-run") ? ["RUN echo hi"] : [];
  return {
    architecture: "amd64",
    os: "linux",
    config: { OnBuild },
    rootfs: { type: "layers", diff_ids: [] },
  };
}
