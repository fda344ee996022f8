import type { ContainerConfig, Platform } from "@undocked/registry";
import type { Dockerfile } from "../dockerfile/ast.ts";
import { ENTRY_COST, type Budget } from "./budget.ts";
import { ConfigDraft, configStart } from "./config-draft.ts";
import type { GlobalArgs } from "./global-args.ts";
import type { StageNode, Task } from "./graph.ts";
import type { PlanOptions } from "./options.ts";
import type { StageBase, StagePlan, Step } from "./plan.ts";
import type { Reporter } from "./reporter.ts";
import { Scope } from "./scope.ts";

/** What all stages of one plan share. */
export interface PlanContext {
  readonly dockerfile: Dockerfile;
  readonly options: PlanOptions;
  readonly globals: GlobalArgs;
  readonly report: Reporter;
  readonly budget: Budget;
}

/** Where a stage begins: another stage's end, or an image's configuration. */
export type StageStart =
  | { readonly kind: "stage"; readonly parent: StagePlanner }
  | { readonly kind: "config"; readonly config: ContainerConfig; readonly author?: string }
  | { readonly kind: "unknown" };

/** One stage while its instructions are gone through. */
export class StagePlanner {
  readonly context: PlanContext;
  readonly node: StageNode;
  readonly scope: Scope;
  readonly config: ConfigDraft;
  readonly steps: Step[] = [];
  /** Whether the base's configuration is not known. */
  readonly provisional: boolean;
  /** Whether a WORKDIR has made relative ones safe. */
  workdirSet: boolean;
  /** Whether the working directory rests on an unknown base. */
  workdirProvisional: boolean;
  cmdSet: boolean = false;
  /** The last instructions of which only one counts. */
  readonly once: Map<"CMD" | "ENTRYPOINT" | "HEALTHCHECK", Task> = new Map();

  /** @throws {DockerfileError} `DOCKERFILE_INVALID` when the stages inherit too much */
  constructor(context: PlanContext, node: StageNode, start: StageStart) {
    this.context = context;
    this.node = node;
    const { os } = node.from.platform;
    const parent = start.kind === "stage" ? start.parent : undefined;
    this.provisional = start.kind === "unknown" || parent?.provisional === true;
    this.workdirSet = parent?.workdirSet ?? false;
    this.workdirProvisional = parent?.workdirProvisional ?? this.provisional;
    const base =
      parent?.config ?? (start.kind === "config" ? configStart(start.config, start.author) : configStart({}));
    context.budget.take(base.size * ENTRY_COST);
    this.config = new ConfigDraft(base, os);
    this.scope = new Scope({
      escape: context.dockerfile.escape,
      budget: context.budget,
      open: this.provisional,
      parent: parent?.scope,
    });
    if (parent === undefined) {
      for (const [name, value] of this.config.env)
        this.scope.set(name, { text: value, provisional: this.provisional });
    }
  }

  get platform(): Platform {
    return this.node.from.platform;
  }

  finish(from: StageBase): StagePlan {
    const { stage } = this.node;
    const { author } = this.config;
    return {
      index: stage.index,
      ...(stage.name === undefined ? {} : { name: stage.name }),
      from,
      platform: this.platform,
      steps: this.steps,
      config: this.config.finish(),
      ...(author === undefined || author === "" ? {} : { author }),
      provisional: this.provisional,
      at: stage.from.at,
    };
  }
}
