import type { ArgInstruction, Dockerfile, Stage, Statement } from "../dockerfile/ast.ts";
import type { Reporter } from "./reporter.ts";
import { goQuote } from "../dockerfile/quote.ts";

/** The checks of the whole text, whichever of its stages are built. */
export function checkText(dockerfile: Dockerfile, report: Reporter): void {
  for (const args of dockerfile.globalArgs) checkArgDescription(args, report);
  const names = new Set<string>();
  for (const stage of dockerfile.stages) {
    checkStageName(stage, names, report);
    for (const instruction of stage.instructions) {
      if (instruction.kind === "arg") checkArgDescription(instruction, report);
      if (instruction.kind === "maintainer") {
        const message = "Maintainer instruction is deprecated in favor of using label";
        report.check("MaintainerDeprecated", message, instruction.at, instruction.statement);
      }
    }
  }
  checkCasing(dockerfile, report);
}

/** What is about the whole text or about two stages is not switched off above an instruction. */
function checkCasing({ stages }: Dockerfile, report: Reporter): void {
  const statements = stages.flatMap(({ from, instructions }) => [from, ...instructions]);
  const isLower = (word: string) => word === word.toLowerCase();
  const isUpper = (word: string) => word === word.toUpperCase();
  const written = statements.map(({ statement }) => statement.written);
  const mostlyLower = written.filter(isLower).length > written.filter(isUpper).length;
  for (const { statement, at } of statements) {
    if (mostlyLower ? isLower(statement.written) : isUpper(statement.written)) continue;
    const majority = mostlyLower ? "lowercase" : "uppercase";
    const message = `Command '${statement.written}' should match the case of the command majority (${majority})`;
    report.check("ConsistentInstructionCasing", message, at);
  }
}

function checkStageName({ from, name }: Stage, names: Set<string>, report: Reporter): void {
  const { statement, at, as: written } = from;
  if (name === undefined || written === undefined) return;
  if (written !== name) {
    report.check("StageNameCasing", `Stage name '${written}' should be lowercase`, at, statement);
  }
  checkAs(statement, report);
  if (name === "scratch" || name === "context") {
    const message = `Stage name should not use the same name as reserved stage ${goQuote(name)}`;
    report.check("ReservedStageName", message, at);
  }
  if (names.has(name)) {
    const message = `Duplicate stage name ${goQuote(name)}, stage names should be unique`;
    report.check("DuplicateStageName", message, at);
  }
  names.add(name);
  checkDescription("FROM", [name], statement, report);
}

function checkAs(statement: Statement, report: Reporter): void {
  const { written: from, args, at } = statement;
  const as = args[1] ?? "";
  // A FROM that is neither lower nor upper case has its own warning.
  const matches =
    from === from.toLowerCase()
      ? as === as.toLowerCase()
      : from !== from.toUpperCase() || as === as.toUpperCase();
  if (!matches) {
    report.check("FromAsCasing", `'${as}' and '${from}' keywords' casing do not match`, at, statement);
  }
}

function checkArgDescription({ args, statement }: ArgInstruction, report: Reporter): void {
  const keys = args.map(({ key }) => key);
  checkDescription("ARG", keys, statement, report);
}

/** Whether the comment above a definition begins with the name that it defines. */
function checkDescription(
  keyword: "ARG" | "FROM",
  names: readonly string[],
  statement: Statement,
  report: Reporter,
): void {
  const comment = statement.comments.at(-1);
  if (comment === undefined || names.includes(comment.split(" ")[0] ?? "")) return;
  const example = names.length > 1 ? "<arg_key>" : names[0];
  const message = `Comment for ${keyword} should follow the format: \`# ${example} <description>\``;
  report.check("InvalidDefinitionDescription", message, statement.at, statement);
}
