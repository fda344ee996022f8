import type { StageInstruction } from "../dockerfile/ast.ts";
import type { ExpandOptions } from "../dockerfile/expand.ts";
import { didYouMean } from "../dockerfile/suggest.ts";
import type { Task } from "./graph.ts";
import type { Step } from "./plan.ts";
import type { Reporter } from "./reporter.ts";
import type { Word } from "./scope.ts";
import type { StagePlanner } from "./stage-planner.ts";

/** One instruction of a stage while its words are expanded. */
export class TaskPlanner {
  readonly stage: StagePlanner;
  readonly task: Task;
  readonly report: Reporter;
  #provisional = false;
  /** Once for each word that uses it, with what was meant among the names that there were before. */
  readonly #unset: { readonly name: string; readonly meant: string | undefined }[] = [];

  constructor(stage: StagePlanner, task: Task) {
    this.stage = stage;
    this.task = task;
    this.report = stage.context.report;
  }

  get instruction(): StageInstruction {
    return this.task.instruction;
  }

  /** Expands a word, and notes what it used. */
  word(
    text: string,
    options: Omit<ExpandOptions, "unset"> = {},
    unset: "unset-is-fine" | "warn-of-unset" = "warn-of-unset",
  ): Word {
    const word = this.stage.scope.expand(text, options);
    if (unset === "warn-of-unset") for (const name of word.unset) this.#noteUnset(name);
    if (word.provisional) this.#provisional = true;
    return word;
  }

  text(text: string): string {
    return this.word(text).text;
  }

  /** The rest of the instruction rests on the base. */
  markProvisional(): void {
    this.#provisional = true;
  }

  get provisional(): boolean {
    return this.#provisional;
  }

  /** The fields of every step. */
  step(createdBy: string): Omit<Step, "kind"> {
    const { at, endLine, trigger } = this.task;
    return {
      at,
      endLine,
      createdBy,
      provisional: this.#provisional,
      ...(trigger === undefined ? {} : { trigger }),
    };
  }

  addMetadata(createdBy: string): void {
    this.stage.steps.push({ ...this.step(createdBy), kind: "metadata" });
  }

  /** When the instruction has been gone through: what it used that nothing sets. */
  warnOfUnset(): void {
    for (const { name, meant } of this.#unset) {
      if (this.stage.scope.isDeclared(name)) continue;
      const hint = didYouMean(meant === undefined ? undefined : `$${meant}`);
      const message = `Usage of undefined variable '$${name}'${hint}`;
      this.report.check("UndefinedVar", message, this.task.at, this.instruction.statement);
    }
  }

  #noteUnset(name: string): void {
    const { scope } = this.stage;
    const meant = scope.isDeclared(name) ? undefined : this.report.suggest(name, scope.names());
    this.#unset.push({ name, meant });
  }
}
