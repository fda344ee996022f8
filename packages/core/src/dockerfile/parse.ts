import type {
  ArgInstruction,
  Dockerfile,
  FromInstruction,
  Stage,
  StageInstruction,
  Statement,
} from "./ast.ts";
import { parseCheckOptions, type CheckOptions } from "./check-options.ts";
import { findDirective } from "./directives.ts";
import { fault, narrow, throwFaults, WordError, type Fault } from "./error.ts";
import { readInstruction } from "./instructions.ts";
import { locationOf, readLines, type SourceLines } from "./lines.ts";
import { readStatements } from "./statements.ts";

/** How a Dockerfile is called. */
export interface ParseOptions {
  /** What places call the text; `Dockerfile` unless given. */
  readonly file?: string;
}

/**
 * Reads a Dockerfile as BuildKit does.
 *
 * @throws {DockerfileError} `DOCKERFILE_SYNTAX`, with every fault of the text in `diagnostics`: first those of
 *   its form, then those of its instructions
 */
export function parseDockerfile(text: string | Uint8Array, options: ParseOptions = {}): Dockerfile {
  const source = readLines(text, options.file ?? "Dockerfile");
  const read = readStatements(source);
  const faults = [...read.faults];
  const check = checkOptions(source, faults);
  const { globalArgs, stages } = readStages(read.statements, faults);
  if (faults.length === 0 && stages.length === 0) {
    const message =
      read.statements.length === 0 ? "file with no instructions" : "dockerfile contains no stages to build";
    const place = locationOf(source, Math.max(source.lines.length, 1));
    faults.push(fault("DOCKERFILE_SYNTAX", message, place, "Begin with FROM and the image to build on."));
  }
  throwFaults(faults);
  const syntax = findDirective(source.lines, "syntax");
  return {
    file: source.file,
    lines: source.lines,
    escape: read.escape,
    ...(syntax === undefined
      ? {}
      : {
          syntax: { reference: syntax.value.split(" ")[0] ?? "", at: locationOf(source, syntax.line) },
        }),
    ...(check === undefined ? {} : { check }),
    statements: read.statements,
    globalArgs,
    stages,
    warnings: read.warnings,
  };
}

function checkOptions(source: SourceLines, faults: Fault[]): CheckOptions | undefined {
  const directive = findDirective(source.lines, "check");
  if (directive === undefined) return undefined;
  const at = locationOf(source, directive.line);
  try {
    return { ...parseCheckOptions(directive.value), at };
  } catch (error) {
    if (!(error instanceof WordError)) throw error;
    faults.push(fault("DOCKERFILE_SYNTAX", error.message, narrow(at, error.part), error.hint));
    return undefined;
  }
}

function readStages(
  statements: readonly Statement[],
  faults: Fault[],
): { globalArgs: ArgInstruction[]; stages: Stage[] } {
  const globalArgs: ArgInstruction[] = [];
  const stages: (Stage & { readonly instructions: StageInstruction[] })[] = [];
  let begun = false;
  for (const statement of statements) {
    // A FROM with a fault begins a stage all the same: what follows it is not out of place.
    if (statement.keyword === "FROM") begun = true;
    try {
      const instruction = readInstruction(statement);
      const stage = stages.at(-1);
      if (instruction.kind === "from") {
        stages.push({ index: stages.length, ...nameOf(instruction), from: instruction, instructions: [] });
      } else if (stage !== undefined) {
        stage.instructions.push(instruction);
      } else if (instruction.kind === "arg") {
        globalArgs.push(instruction);
      } else if (!begun) {
        throw new WordError(
          "no build stage in current context",
          "Begin with FROM; only ARG may stand before it.",
        );
      }
    } catch (error) {
      if (!(error instanceof WordError)) throw error;
      faults.push(fault("DOCKERFILE_SYNTAX", error.message, narrow(statement.at, error.part), error.hint));
    }
  }
  return { globalArgs, stages };
}

function nameOf({ as, statement }: FromInstruction): Pick<Stage, "name" | "description"> {
  if (as === undefined) return {};
  const name = as.toLowerCase();
  const comment = statement.comments.find((text) => text.startsWith(`${name} `));
  return { name, ...(comment === undefined ? {} : { description: comment.slice(name.length + 1) }) };
}

/**
 * Reads an ONBUILD trigger of a base: one instruction, not FROM.
 *
 * @throws {DockerfileError} `DOCKERFILE_SYNTAX`, placed in the trigger's own text
 */
export function parseTrigger(expression: string): StageInstruction {
  const source = readLines(expression, "ONBUILD trigger");
  const read = readStatements(source);
  const faults = [...read.faults];
  const [statement, ...others] = read.statements;
  if (faults.length === 0 && (statement === undefined || others.length > 0)) {
    faults.push(
      fault("DOCKERFILE_SYNTAX", "onbuild trigger should be a single expression", locationOf(source, 1)),
    );
  }
  throwFaults(faults);
  if (statement !== undefined) {
    try {
      const instruction = readInstruction(statement);
      if (instruction.kind !== "from") return instruction;
      faults.push(fault("DOCKERFILE_SYNTAX", "FROM isn't allowed as an ONBUILD trigger", statement.at));
    } catch (error) {
      if (!(error instanceof WordError)) throw error;
      faults.push(fault("DOCKERFILE_SYNTAX", error.message, narrow(statement.at, error.part), error.hint));
    }
  }
  throwFaults(faults);
  throw new TypeError("unreachable: a trigger without an instruction has a fault");
}
