import type { Diagnostic, Location } from "@undocked/registry";
import type { Dockerfile, Statement } from "../dockerfile/ast.ts";
import { parseCheckOptions, type CheckOptions } from "../dockerfile/check-options.ts";
import {
  DockerfileError,
  fault,
  narrow,
  WordError,
  type DockerfileErrorCode,
  type Fault,
} from "../dockerfile/error.ts";
import { suggest, type Effort } from "../dockerfile/suggest.ts";
import type { CheckName } from "./check-names.ts";

/** Rules that warn only where `# check=experimental=` names them. */
const EXPERIMENTAL: ReadonlySet<CheckName> = new Set(["InvalidDefinitionDescription"]);

/** Gathers what a plan finds, and leaves out the checks that the text switches off. */
export class Reporter {
  readonly faults: Fault[] = [];
  readonly warnings: Diagnostic[] = [];
  readonly #options: CheckOptions;
  readonly #skipped: NameSet;
  readonly #experimental: NameSet;
  /** What the comments above a statement switch off. */
  readonly #skippedHere = new WeakMap<Statement, NameSet>();
  readonly #effort: Effort = { left: 1_000_000 };
  /** Rules that have warned, in order. */
  readonly #violated = new Map<CheckName, Location | undefined>();

  constructor(dockerfile: Dockerfile, buildArgs: Readonly<Record<string, string>>) {
    this.#options = this.#checkOptions(dockerfile, buildArgs["BUILDKIT_DOCKERFILE_CHECK"]);
    this.#skipped = nameSet(this.#options.skip);
    this.#experimental = nameSet(this.#options.experimental);
    for (const { message, location } of dockerfile.warnings) {
      this.check("NoEmptyContinuation", message, location);
    }
  }

  #checkOptions(dockerfile: Dockerfile, override: string | undefined): CheckOptions {
    const none: CheckOptions = { skip: [], experimental: [], error: false };
    if (override === undefined) return dockerfile.check ?? none;
    return this.attempt(undefined, () => parseCheckOptions(override)) ?? none;
  }

  /** Warns by one of the build checks, unless it is off for the file or for the instruction. */
  check(name: CheckName, message: string, location: Location | undefined, statement?: Statement): void {
    if (this.#skipped.has(name)) return;
    if (EXPERIMENTAL.has(name) && !this.#experimental.has(name)) return;
    if (statement !== undefined && this.#skippedAt(statement).has(name)) return;
    if (!this.#violated.has(name)) this.#violated.set(name, location);
    this.warn(name, message, location);
  }

  #skippedAt(statement: Statement): NameSet {
    const known = this.#skippedHere.get(statement) ?? skippedBy(statement);
    this.#skippedHere.set(statement, known);
    return known;
  }

  /** As `suggest`, but all of a plan's suggestions together have an end. */
  suggest(value: string, options: Iterable<string>): string | undefined {
    return suggest(value, options, { effort: this.#effort });
  }

  warn(code: string, message: string, location?: Location, hint?: string): void {
    this.warnings.push({
      code,
      severity: "warning",
      message,
      ...(location === undefined ? {} : { location }),
      ...(hint === undefined ? {} : { hint }),
    });
  }

  fault(code: DockerfileErrorCode, message: string, location?: Location, hint?: string): void {
    this.faults.push(fault(code, message, location, hint));
  }

  /** Runs a reader of one word and gives its fault a place; undefined when there was one. */
  attempt<Result>(location: Location | undefined, run: () => Result): Result | undefined {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof DockerfileError)) throw error;
      const part = error instanceof WordError ? error.part : undefined;
      const place = location === undefined ? undefined : narrow(location, part);
      this.fault(error.code, error.message, place, error.hint);
      return undefined;
    }
  }

  /** `# check=error=true`: a check that has warned refuses the build. */
  refuseViolations(): void {
    const [first] = this.#violated;
    if (!this.#options.error || first === undefined) return;
    const names = [...this.#violated.keys()].join(", ");
    this.fault("DOCKERFILE_CHECK", `lint violation found for rules: ${names}`, first[1]);
  }
}

type NameSet = Pick<ReadonlySet<CheckName>, "has">;

function nameSet(names: readonly string[] | "all"): NameSet {
  if (names === "all") return { has: () => true };
  const lower = new Set(names.map((name) => name.toLowerCase()));
  return { has: (name) => lower.has(name.toLowerCase()) };
}

/** The rules that a `check=skip=` in one of the comments above the instruction names. */
function skippedBy({ comments }: Statement): NameSet {
  const skips = comments.flatMap((comment) => {
    const [, options] = /^check\s*=\s*(.+)$/i.exec(comment) ?? [];
    return options === undefined ? [] : [skipOf(options)];
  });
  return nameSet(skips.includes("all") ? "all" : skips.flat());
}

function skipOf(options: string): CheckOptions["skip"] {
  try {
    return parseCheckOptions(options).skip;
  } catch (error) {
    if (error instanceof WordError) return [];
    throw error;
  }
}
