import { formatPlatform, normalizePlatform, type Location, type Platform } from "@undocked/registry";
import type { Dockerfile, FromInstruction, Stage } from "../dockerfile/ast.ts";
import { WordError } from "../dockerfile/error.ts";
import { expand } from "../dockerfile/expand.ts";
import { parsePlatformWord } from "../dockerfile/platform.ts";
import { didYouMean } from "../dockerfile/suggest.ts";
import { quietly, soundText, type GlobalArgs } from "./global-args.ts";
import type { PlanOptions } from "./options.ts";
import type { StageBase } from "./plan.ts";
import { isReference, namedSource, resolveImage } from "./references.ts";
import type { Reporter } from "./reporter.ts";
import { goQuote } from "../dockerfile/quote.ts";

/** A FROM line with its words expanded. */
export interface ResolvedFrom {
  readonly platform: Platform;
  /** The base's name after expansion. */
  readonly written: string;
  /** Absent when it has a fault. */
  readonly base?: StageBase;
  /** A fault that counts only if the stage is needed. */
  readonly problem?: WordError;
  /** A named context stands for the whole stage. */
  readonly replaced: boolean;
}

/** Reads every FROM line: their faults are told even in stages that are not needed. */
export function resolveFroms(
  dockerfile: Dockerfile,
  options: PlanOptions,
  platform: Platform,
  globals: GlobalArgs,
  report: Reporter,
): ResolvedFrom[] {
  const known = new Map<string, number>();
  return dockerfile.stages.map((stage) => {
    const resolved = resolveFrom(stage, dockerfile, options, platform, globals, known, report);
    if (stage.name !== undefined) known.set(stage.name, stage.index);
    return resolved;
  });
}

function resolveFrom(
  stage: Stage,
  { escape }: Dockerfile,
  { namedContexts = [] }: PlanOptions,
  target: Platform,
  globals: GlobalArgs,
  known: ReadonlyMap<string, number>,
  report: Reporter,
): ResolvedFrom {
  const { from } = stage;
  checkDefaults(from, escape, globals, report);
  const word = expandIn(from, from.base, escape, globals, report);
  const platform = stagePlatform(from, escape, target, globals, report);
  const written = word ?? from.base;
  const place = { platform, written };
  const own = stage.name === undefined ? undefined : namedSource(stage.name, platform, namedContexts);
  if (own !== undefined) return { ...place, base: own, replaced: true };
  if (word === undefined) return { ...place, replaced: false };
  if (word === "") {
    const hint = "Give its ARG, which stands before the first FROM, a default or a value of the build's own.";
    report.fault("DOCKERFILE_INVALID", `base name (${from.base}) should not be blank`, from.at, hint);
    return { ...place, replaced: false };
  }
  const earlier = known.get(word);
  if (earlier !== undefined) return { ...place, base: { kind: "stage", index: earlier }, replaced: false };
  if (word === "scratch") return { ...place, base: { kind: "scratch" }, replaced: false };
  try {
    return { ...place, base: resolveImage(word, platform, namedContexts), replaced: false };
  } catch (error) {
    if (!(error instanceof WordError)) throw error;
    return { ...place, problem: error, replaced: false };
  }
}

function expandIn(
  from: FromInstruction,
  text: string,
  escape: Dockerfile["escape"],
  globals: GlobalArgs,
  report: Reporter,
): string | undefined {
  return report.attempt(from.at, () => {
    const expansion = expand(text, globals.lookup, { escape });
    for (const name of expansion.unset) {
      if (globals.declared.has(name)) continue;
      const message = `FROM argument '${name}' is not declared${didYouMean(nearest(name, globals, report))}`;
      report.check("UndefinedArgInFrom", message, from.at, from.statement);
    }
    return soundText(expansion, globals.faulty);
  });
}

function nearest(name: string, globals: GlobalArgs, report: Reporter): string | undefined {
  return report.suggest(name, namesOf(globals));
}

function* namesOf({ declared, predefined }: GlobalArgs): Generator<string, void, void> {
  yield* declared;
  yield* predefined;
}

function checkDefaults(
  from: FromInstruction,
  escape: Dockerfile["escape"],
  globals: GlobalArgs,
  report: Reporter,
): void {
  const alone = quietly(() =>
    soundText(expand(from.base, globals.defaultLookup, { escape }), globals.faulty),
  );
  if (alone === undefined || (alone !== "" && isReference(alone))) return;
  const message = `Default value for ARG ${from.base} results in empty or invalid base image name`;
  report.check("InvalidDefaultArgInFrom", message, from.at, from.statement);
}

function stagePlatform(
  from: FromInstruction,
  escape: Dockerfile["escape"],
  target: Platform,
  globals: GlobalArgs,
  report: Reporter,
): Platform {
  const { platform: written, at } = from;
  if (written === undefined) return target;
  const expanded = expandIn(from, written, escape, globals, report);
  if (expanded === undefined) return target;
  if (expanded === "") {
    const meant = didYouMean(nearestUnset(written, escape, globals, report));
    report.fault("DOCKERFILE_INVALID", `empty platform value from expression ${written}${meant}`, at);
    return target;
  }
  const platform = report.attempt(at, () => readPlatform(written, expanded, escape, globals, report));
  if (platform === undefined) return target;
  checkPlatform(from, written, expanded, platform, escape, globals, report);
  return normalizePlatform(platform);
}

/** What was meant by the first name of an expression that is nobody's. */
function nearestUnset(
  written: string,
  escape: Dockerfile["escape"],
  globals: GlobalArgs,
  report: Reporter,
): string | undefined {
  const { unset } = expand(written, globals.lookup, { escape });
  return [...unset].flatMap((name) => nearest(name, globals, report) ?? [])[0];
}

function readPlatform(
  written: string,
  expanded: string,
  escape: Dockerfile["escape"],
  globals: GlobalArgs,
  report: Reporter,
): Platform {
  try {
    return parsePlatformWord(expanded);
  } catch (error) {
    if (!(error instanceof WordError)) throw error;
    const meant = nearestUnset(written, escape, globals, report);
    throw new WordError(`failed to parse platform ${written}: ${error.message}${didYouMean(meant)}`);
  }
}

function checkPlatform(
  from: FromInstruction,
  written: string,
  expanded: string,
  platform: Platform,
  escape: Dockerfile["escape"],
  globals: GlobalArgs,
  report: Reporter,
): void {
  const { used, unset } = expand(written, globals.lookup, { escape });
  const name = from.as?.toLowerCase() ?? "";
  if (used.size + unset.size === 0) {
    // A stage that is named after its platform is there for that platform.
    if (name.includes(platform.os) || name.includes(platform.architecture)) return;
    const message = `FROM --platform flag should not use constant value ${goQuote(expanded)}`;
    report.check("FromPlatformFlagConstDisallowed", message, from.at, from.statement);
  } else if (
    used.size === 1 &&
    used.has("TARGETPLATFORM") &&
    expanded === globals.values.get("TARGETPLATFORM")
  ) {
    const message = `Setting platform to predefined ${written} in FROM is redundant as this is the default behavior`;
    report.check("RedundantTargetPlatform", message, from.at, from.statement);
  }
}

/** Warns of a base that is for another platform than its stage. */
export function checkBasePlatform(
  written: string,
  expected: Platform,
  got: Platform,
  location: Location,
  report: Reporter,
): void {
  const message = `Base image ${written} was pulled with platform ${goQuote(formatPlatform(normalizePlatform(got)))}, expected ${goQuote(formatPlatform(normalizePlatform(expected)))} for current build`;
  report.check("InvalidBaseImagePlatform", message, location);
}
