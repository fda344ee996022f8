import { formatPlatform, type Diagnostic, type Location, type Platform } from "@undocked/registry";
import type { BuildPlan } from "../plan/plan.ts";
import { selfContainedFindings } from "../preflight/self-contained.ts";
import { imageFiles } from "../preflight/image-files.ts";
import { preflight } from "../preflight/preflight.ts";
import type { Finding, Proof } from "../preflight/proof.ts";
import type { BasePool } from "./base-pool.ts";
import { faults } from "./faults.ts";
import type { BuildOptions } from "./options.ts";
import { mergeFindings } from "./platform-faults.ts";
import type { BuiltStage } from "./stage.ts";

/** What was found out about the images of a build. */
export interface Starts {
  /** One for each image; absent where nobody was to look. */
  readonly proofs: readonly (Proof | undefined)[];
  readonly warnings: readonly Diagnostic[];
}

/**
 * Proves that the images for all platforms start.
 *
 * @throws {BuildError} with the code of the first fault that stops a start, and with those of all platforms, each named
 */
export async function proveStarts(
  stages: readonly BuiltStage[],
  plans: readonly BuildPlan[],
  bases: BasePool,
  options: BuildOptions,
): Promise<Starts> {
  const starts: (StartFindings & { readonly platform: string })[] = [];
  for (const [position, stage] of stages.entries()) {
    const { platform } = plans[position] ?? stage.plan;
    const start = await proveStart(stage, platform, bases, options);
    starts.push({ ...start, platform: formatPlatform(platform) });
  }
  const merged = (kind: "faults" | "warnings"): readonly Diagnostic[] =>
    mergeFindings(
      starts.map(({ platform, [kind]: found }) => ({ platform, found })),
      "named",
    );
  const found = faults();
  for (const fault of merged("faults")) found.add(fault);
  found.throwIfAny();
  return { proofs: starts.map(({ proof }) => proof), warnings: merged("warnings") };
}

interface StartFindings {
  readonly proof?: Proof;
  readonly faults: readonly Diagnostic[];
  readonly warnings: readonly Diagnostic[];
}

/**
 * Proves that the finished image starts, and that its executables are what the policy asks for.
 *
 * What the base has wrong already, with the same command on the same files, is the base's business and a warning.
 *
 * Faults are given, not thrown, as those of other platforms are told with them.
 */
async function proveStart(
  stage: BuiltStage,
  platform: Platform,
  bases: BasePool,
  { preflight: policy = "error", executables = "static" }: BuildOptions,
): Promise<StartFindings> {
  const { root, plan } = stage;
  const files = imageFiles(root);
  const { config } = plan;
  const found = faults();
  const judged = policy !== "off" || executables === "self-contained";
  const first = judged ? await preflight(config, root, platform, { files }) : undefined;
  const contained =
    executables === "self-contained"
      ? await selfContainedFindings(files, [...addedFiles(stage), ...programsOf(first)], config, platform)
      : [];
  for (const finding of contained) found.add(finding);
  if (policy === "off" || first === undefined) return { faults: found.all(), warnings: [] };
  const proof = first.ok ? first : withoutInherited(first, await inherited(stage, platform, bases));
  const warnings: Diagnostic[] = [];
  for (const { chain, ...finding } of proof.findings) {
    const location = locationOf(chain, stage);
    const told: Diagnostic = location === undefined ? finding : { ...finding, location };
    if (finding.severity === "warning" || policy === "warn") warnings.push({ ...told, severity: "warning" });
    else if (!contained.some((other) => isSameFault(finding, other))) found.add(told);
  }
  return { proof, faults: found.all(), warnings };
}

/** What the build itself brought. */
function addedFiles({ layers }: BuiltStage): string[] {
  return layers.flatMap(({ entries }) =>
    entries.flatMap(({ kind, path }) => (kind === "file" ? [`/${path}`] : [])),
  );
}

/** What the image starts, whoever brought it. */
function programsOf(proof: Proof | undefined): string[] {
  return (proof?.steps ?? []).flatMap(({ kind, file }) =>
    file === undefined || kind === "library" || kind === "script" ? [] : [file],
  );
}

/** The same fault of the same program, once by each judge; the message of one is in the other's. */
function isSameFault(finding: Diagnostic, { code, message }: Diagnostic): boolean {
  return finding.code === code && finding.message.includes(message.slice(message.indexOf(": ") + 2));
}

/** What the base alone would be found at fault for, if the build starts what the base does. */
async function inherited(
  { base, plan }: BuiltStage,
  platform: Platform,
  bases: BasePool,
): Promise<readonly Finding[]> {
  if (base === undefined) return [];
  const { config: own = {} } = base.config;
  const command = ({ Entrypoint = [], Cmd = [] }: typeof own): string => JSON.stringify([Entrypoint, Cmd]);
  if (command(own) !== command(plan.config)) return [];
  return (await preflight(own, await bases.rootFsOf(base), platform)).findings;
}

function withoutInherited(proof: Proof, base: readonly Finding[]): Proof {
  const known = new Set(base.map(({ code, message }) => `${code} ${message}`));
  const findings = proof.findings.map((finding): Finding =>
    known.has(`${finding.code} ${finding.message}`) ? { ...finding, severity: "warning" } : finding,
  );
  return { ...proof, findings, ok: findings.every(({ severity }) => severity !== "error") };
}

/** Where the text says what the finding is about. */
function locationOf([first = ""]: readonly string[], { plan }: BuiltStage): Location | undefined {
  const [keyword = ""] = first.split(" ", 1);
  return plan.steps.findLast(({ createdBy }) => createdBy.startsWith(`${keyword} `))?.at;
}
