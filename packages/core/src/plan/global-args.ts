import { formatPlatform, normalizePlatform, type Platform } from "@undocked/registry";
import type { Dockerfile } from "../dockerfile/ast.ts";
import { WordError } from "../dockerfile/error.ts";
import { expand, type Expansion, type Lookup } from "../dockerfile/expand.ts";
import type { Budget } from "./budget.ts";
import type { PlanOptions } from "./options.ts";
import type { Reporter } from "./reporter.ts";

/** What FROM lines can use, and stages can take in by `ARG name`. */
export interface GlobalArgs {
  /** Predefined ones, then the ARGs before the first FROM. */
  readonly values: ReadonlyMap<string, string>;
  readonly lookup: Lookup;
  /** The same without `--build-arg`. */
  readonly defaultLookup: Lookup;
  /** Names that the text declares. */
  readonly declared: ReadonlySet<string>;
  readonly predefined: ReadonlySet<string>;
  /** Those whose value is not known, since it is at fault: what rests on it is not at fault as well. */
  readonly faulty: ReadonlySet<string>;
  /** The caller's build arguments. */
  readonly given: ReadonlyMap<string, string>;
}

/** Not this machine's: the same input gives the same image everywhere. */
const BUILD_PLATFORM: Platform = { os: "linux", architecture: "amd64" };

export function readGlobalArgs(
  dockerfile: Dockerfile,
  options: PlanOptions,
  platform: Platform,
  targetStage: string,
  budget: Budget,
  report: Reporter,
): GlobalArgs {
  const predefined = new Map([
    ...describePlatform("BUILD", BUILD_PLATFORM),
    ...describePlatform("TARGET", normalizePlatform(platform)),
    ["TARGETSTAGE", targetStage] as const,
  ]);
  const given = new Map(Object.entries(options.buildArgs ?? {}));
  const defaults = new Map(predefined);
  const values = new Map(predefined);
  for (const name of predefined.keys()) values.set(name, given.get(name) ?? predefined.get(name) ?? "");
  const declared = new Set<string>();
  const faulty = new Set<string>();
  const lookupIn =
    (map: ReadonlyMap<string, string>): Lookup =>
    (name) => {
      const value = map.get(name);
      budget.take(value?.length ?? 0);
      return value;
    };
  const [lookup, defaultLookup] = [lookupIn(values), lookupIn(defaults)];
  for (const { args, at } of dockerfile.globalArgs) {
    for (const { key, value } of args) {
      declared.add(key);
      const { escape } = dockerfile;
      if (value !== undefined) {
        const expanded =
          given.get(key) ?? report.attempt(at, () => soundText(expand(value, lookup, { escape }), faulty));
        if (expanded === undefined) faulty.add(key);
        else values.set(key, expanded);
        const alone = quietly(() => expand(value, defaultLookup, { escape }).text);
        if (alone !== undefined) defaults.set(key, alone);
      } else if (given.has(key)) {
        values.set(key, given.get(key) ?? "");
      }
    }
  }
  return { values, lookup, defaultLookup, declared, predefined: new Set(predefined.keys()), faulty, given };
}

/** What a word came to; `undefined` where that rests on what is at fault. */
export function soundText(
  { text, used, unset }: Expansion,
  faulty: GlobalArgs["faulty"],
): string | undefined {
  for (const name of faulty) if (used.has(name) || unset.has(name)) return undefined;
  return text;
}

function describePlatform(
  prefix: "BUILD" | "TARGET",
  platform: Platform,
): readonly (readonly [string, string])[] {
  return [
    [`${prefix}PLATFORM`, formatPlatform(platform)],
    [`${prefix}OS`, platform.os],
    [`${prefix}OSVERSION`, platform["os.version"] ?? ""],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant ?? ""],
  ];
}

/** For what is computed only to warn: a fault in it has been told elsewhere. */
export function quietly<Result>(run: () => Result): Result | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof WordError) return undefined;
    throw error;
  }
}
