import type {
  ArgInstruction,
  CmdInstruction,
  CommandLine,
  EntrypointInstruction,
  EnvInstruction,
  ExposeInstruction,
  HealthcheckInstruction,
  LabelInstruction,
  RunInstruction,
  StageInstruction,
  StopsignalInstruction,
  VolumeInstruction,
  WorkdirInstruction,
} from "../dockerfile/ast.ts";
import type { Healthcheck } from "@undocked/registry";
import { resolvePath } from "../dockerfile/clean-path.ts";
import { WordError } from "../dockerfile/error.ts";
import { parseExpose } from "../dockerfile/expose.ts";
import { parseSignal } from "../dockerfile/signal.ts";
import { ENTRY_COST } from "./budget.ts";
import { planCopy } from "./copy.ts";
import { commandText, healthcheckText, pairsText } from "./history.ts";
import { quoteRun, replacementFor } from "./run-refusal.ts";
import { looksSecret } from "./secrets.ts";
import type { StagePlanner } from "./stage-planner.ts";
import { goQuote } from "../dockerfile/quote.ts";
import { TaskPlanner } from "./task-planner.ts";

/** Goes through a stage's instructions; the first fault of one ends that one. */
export function runInstructions(stage: StagePlanner): void {
  for (const each of stage.node.tasks) {
    const task = new TaskPlanner(stage, each);
    const isDone = task.report.attempt(each.at, () => {
      dispatch(each.instruction, task);
      return true;
    });
    if (isDone === undefined) leaveOpen(each.instruction, stage);
    task.warnOfUnset();
    if (stage.context.budget.isSpent) return;
  }
}

/** What an instruction at fault would have set is not known: what rests on it is not at fault as well. */
function leaveOpen(instruction: StageInstruction, stage: StagePlanner): void {
  for (const { key } of variablesOf(instruction)) stage.scope.set(key, { text: "", provisional: true });
  if (instruction.kind === "workdir") stage.workdirSet = stage.workdirProvisional = true;
}

function variablesOf(instruction: StageInstruction): readonly { readonly key: string }[] {
  if (instruction.kind === "arg") return instruction.args;
  return instruction.kind === "env" ? instruction.pairs : [];
}

/** Does to the stage what the instruction says. */
function dispatch(instruction: StageInstruction, task: TaskPlanner): void {
  const { config } = task.stage;
  switch (instruction.kind) {
    case "add":
    case "copy":
      planCopy(instruction, task);
      return;
    case "arg":
      planArg(instruction, task);
      return;
    case "cmd":
      planCmd(instruction, task);
      return;
    case "entrypoint":
      planEntrypoint(instruction, task);
      return;
    case "env":
      planEnv(instruction, task);
      return;
    case "expose":
      planExpose(instruction, task);
      return;
    case "healthcheck":
      planHealthcheck(instruction, task);
      return;
    case "label":
      planLabel(instruction, task);
      return;
    case "maintainer":
      config.author = instruction.maintainer;
      task.addMetadata(`MAINTAINER ${instruction.maintainer}`);
      return;
    case "onbuild":
      config.onbuild.push(instruction.expression);
      return;
    case "run":
      refuseRun(instruction, task);
      return;
    case "shell":
      config.shell = instruction.words;
      task.addMetadata(`SHELL [${instruction.words.join(" ")}]`);
      return;
    case "stopsignal":
      planStopsignal(instruction, task);
      return;
    case "user":
      config.user = task.text(instruction.user);
      task.addMetadata(`USER ${config.user}`);
      return;
    case "volume":
      planVolume(instruction, task);
      return;
    case "workdir":
      planWorkdir(instruction, task);
      return;
  }
}

function planArg({ args }: ArgInstruction, task: TaskPlanner): void {
  const { scope, context } = task.stage;
  const { given } = context.globals;
  const shown: { key: string; value?: string }[] = [];
  for (const { key, value: written } of args) {
    checkSecret("ARG", key, task);
    let value = given.get(key);
    let provisional = false;
    if (value === undefined && written !== undefined) {
      ({ text: value, provisional } = task.word(written));
    }
    if (written === undefined) {
      value ??= context.globals.values.get(key);
      if (value === undefined && context.globals.faulty.has(key)) [value, provisional] = ["", true];
    }
    if (value !== undefined) scope.set(key, { text: value, provisional });
    scope.declare(key);
    shown.push(value === undefined ? { key } : { key, value });
  }
  task.addMetadata(pairsText("ARG", shown));
}

function planEnv({ pairs, statement }: EnvInstruction, task: TaskPlanner): void {
  const { scope, config } = task.stage;
  warnOfLegacy(statement.args, task);
  // As a whole against what was before it: no pair sees another.
  const expanded = pairs.map((pair) => {
    const { text: key, provisional: anyKey } = task.word(pair.key);
    const { text: value, provisional: anyValue } = task.word(pair.value);
    if (key === "" && !anyKey) throw new WordError("ENV names can not be blank");
    return { key, value, provisional: anyKey || anyValue };
  });
  for (const { key, value, provisional } of expanded) {
    checkSecret("ENV", key, task);
    config.env.set(key, value);
    scope.set(key, { text: value, provisional });
  }
  task.addMetadata(pairsText("ENV", expanded));
}

function planLabel({ pairs, statement }: LabelInstruction, task: TaskPlanner): void {
  warnOfLegacy(statement.args, task);
  const expanded = pairs.map(({ key, value }) => ({ key: task.text(key), value: task.text(value) }));
  for (const { key, value } of expanded) {
    if (key === "" && !task.provisional) throw new WordError("LABEL names can not be blank");
    task.stage.config.labels.set(key, value);
  }
  task.addMetadata(pairsText("LABEL", expanded));
}

function warnOfLegacy(args: readonly string[], task: TaskPlanner): void {
  if (args[2] !== "") return;
  const keyword = task.instruction.statement.written;
  const message = `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`;
  task.report.check("LegacyKeyValueFormat", message, task.task.at, task.instruction.statement);
}

function checkSecret(keyword: "ARG" | "ENV", key: string, task: TaskPlanner): void {
  if (!looksSecret(key)) return;
  const message = `Do not use ARG or ENV instructions for sensitive data (${keyword} ${goQuote(key)})`;
  task.report.check("SecretsUsedInArgOrEnv", message, task.task.at, task.instruction.statement);
}

function planExpose({ ports, statement }: ExposeInstruction, task: TaskPlanner): void {
  const { at } = task.task;
  const exposed: string[] = [];
  for (const word of ports) {
    // A port that is not set is none: `EXPOSE $PORT` is no mistake.
    const { words, provisional } = task.word(word, {}, "unset-is-fine");
    for (const each of words) {
      if (provisional) continue;
      const { ports: found, mapping } = parseExpose(each);
      if (mapping) {
        const message = `EXPOSE instruction should not define an IP address or host-port mapping, found '${each}'`;
        task.report.check("ExposeInvalidFormat", message, at, statement);
      }
      const protocol = each.split("/")[1] ?? "";
      if (protocol !== protocol.toLowerCase()) {
        const message = `Defined protocol '${each}' in EXPOSE instruction should be lowercase`;
        task.report.check("ExposeProtoCasing", message, at, statement);
      }
      task.stage.context.budget.take(found.length * ENTRY_COST);
      for (const port of found) exposed.push(port);
    }
  }
  for (const port of exposed) task.stage.config.ports.add(port);
  task.addMetadata(`EXPOSE [${exposed.join(" ")}]`);
}

function planVolume({ paths }: VolumeInstruction, task: TaskPlanner): void {
  const expanded = paths.map((path) => task.text(path));
  for (const path of expanded) {
    if (path === "" && !task.provisional) throw new WordError("VOLUME specified can not be an empty string");
    task.stage.config.volumes.add(path);
  }
  task.addMetadata(`VOLUME [${expanded.join(" ")}]`);
}

function planStopsignal({ signal }: StopsignalInstruction, task: TaskPlanner): void {
  const expanded = task.text(signal);
  if (!task.provisional) parseSignal(expanded);
  task.stage.config.stopSignal = expanded;
  task.addMetadata(`STOPSIGNAL ${expanded}`);
}

function planWorkdir({ path, statement }: WorkdirInstruction, task: TaskPlanner): void {
  const { stage } = task;
  const expanded = task.text(path);
  const absolute = expanded.startsWith("/");
  if (!absolute && !stage.workdirSet && !task.provisional) {
    const message = `Relative workdir ${goQuote(expanded)} can have unexpected results if the base image changes`;
    task.report.check("WorkdirRelativePath", message, task.task.at, statement);
  }
  stage.workdirSet = true;
  stage.workdirProvisional = task.provisional || (!absolute && stage.workdirProvisional);
  if (stage.workdirProvisional) task.markProvisional();
  const directory = resolvePath(stage.config.workdir, expanded);
  // What is absolute stays as it is written, `/app/` and all; only the directory itself has the clean name.
  const workdir = absolute ? expanded : expanded === "" ? stage.config.workdir || "/" : directory;
  stage.context.budget.take(workdir.length);
  stage.config.workdir = workdir;
  if (directory === "/") {
    task.addMetadata(`WORKDIR ${workdir}`);
    return;
  }
  const { user } = stage.config;
  stage.steps.push({
    ...task.step(`WORKDIR ${workdir}`),
    kind: "workdir",
    path: directory,
    ...(user === undefined || user === "" ? {} : { user }),
  });
}

function planCmd({ command }: CmdInstruction, task: TaskPlanner): void {
  const { config } = task.stage;
  warnOfShellForm(command, task);
  warnOfEarlier("CMD", task);
  config.cmd = commandWords(command, task);
  task.stage.cmdSet = true;
  task.addMetadata(commandText("CMD", config.cmd));
}

function planEntrypoint({ command }: EntrypointInstruction, task: TaskPlanner): void {
  const { config, cmdSet } = task.stage;
  warnOfShellForm(command, task);
  warnOfEarlier("ENTRYPOINT", task);
  config.entrypoint = commandWords(command, task);
  // An inherited CMD was meant for the inherited entrypoint.
  if (!cmdSet) config.cmd = undefined;
  task.addMetadata(commandText("ENTRYPOINT", config.entrypoint));
}

function commandWords(command: CommandLine, task: TaskPlanner): readonly string[] {
  if (command.form === "exec") return command.words;
  const { config, provisional, context } = task.stage;
  if (provisional && config.shell === undefined) task.markProvisional();
  for (const word of config.commandShell) context.budget.take(word.length);
  return [...config.commandShell, command.text];
}

function warnOfShellForm(command: CommandLine, task: TaskPlanner): void {
  const { config, provisional } = task.stage;
  // An unknown base could have set a SHELL.
  if (command.form === "exec" || config.shell !== undefined || provisional) return;
  const message = `JSON arguments recommended for ${task.instruction.statement.written} to prevent unintended behavior related to OS signals`;
  task.report.check("JSONArgsRecommended", message, task.task.at, task.instruction.statement);
}

function warnOfEarlier(keyword: "CMD" | "ENTRYPOINT" | "HEALTHCHECK", task: TaskPlanner): void {
  const earlier = task.stage.once.get(keyword);
  task.stage.once.set(keyword, task.task);
  if (earlier === undefined) return;
  const message = `Multiple ${task.instruction.statement.written} instructions should not be used in the same stage because only the last one will be used`;
  task.report.check("MultipleInstructionsDisallowed", message, earlier.at, earlier.instruction.statement);
}

function planHealthcheck(check: HealthcheckInstruction, task: TaskPlanner): void {
  warnOfEarlier("HEALTHCHECK", task);
  const { test, interval, timeout, startPeriod, startInterval, retries } = check;
  const healthcheck: Healthcheck = {
    Test: test,
    ...(interval === 0 ? {} : { Interval: interval }),
    ...(timeout === 0 ? {} : { Timeout: timeout }),
    ...(startPeriod === 0 ? {} : { StartPeriod: startPeriod }),
    ...(startInterval === 0 ? {} : { StartInterval: startInterval }),
    ...(retries === 0 ? {} : { Retries: retries }),
  };
  task.stage.config.healthcheck = healthcheck;
  task.addMetadata(healthcheckText(check));
}

function refuseRun(run: RunInstruction, task: TaskPlanner): void {
  const { at, endLine, trigger } = task.task;
  const text = quoteRun(run.statement.original);
  const lines = endLine > at.line && trigger === undefined ? ` (lines ${at.line} to ${endLine})` : "";
  const quoted = trigger === undefined ? text : `ONBUILD ${text}, which the base asks for`;
  const message = `RUN needs a kernel to run in, and this builder runs nothing: ${quoted}${lines}`;
  task.report.fault("DOCKERFILE_UNSUPPORTED", message, at, replacementFor(run));
}
