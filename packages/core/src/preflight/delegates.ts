import { baseName } from "../context/path.ts";
import { parseEnvCommand } from "./env-command.ts";
import type { Delegate, Execution } from "./execution.ts";
import { lookPath } from "./look-path.ts";
import { namedProgram } from "./named-program.ts";
import { userName } from "./reach.ts";
import { readScript, scriptOf } from "./script-reader.ts";
import { parseShellCommand } from "./shell-command.ts";
import { isExportedFunction, readsStartupFiles } from "./shell-startup.ts";
import { shellProgram } from "./shell-text.ts";
import { byEnvironment, fromWorkingDirectory, prediction, report, type Cause, type Trial } from "./trial.ts";
import { findUser } from "./user.ts";
import { isWrapper, parseWrapperCommand } from "./wrapper-command.ts";

type Called = Pick<Execution, "path" | "args" | "role">;

/** What BusyBox's env is asked for in scripts and has in itself: Debian's takes its own when PATH has none, others do not. */
const applets = new Set(["sh", "ash", "hush", "awk", "sed", "bc", "dc", "env", "nice", "nohup", "timeout"]);
const shells = new Set(["sh", "bash", "dash", "ash", "ksh", "zsh"]);

/**
 * What a program is known to start, or to read as its script: shells, `env`, wrappers such as tini, interpreters. The arguments of
 * everything else are its own business.
 */
export async function delegates(trial: Trial, cause: Cause, called: Called): Promise<readonly Delegate[]> {
  const { path, args, role } = called;
  const name = baseName(path);
  const [applet, ...rest] = args;
  if (name === "busybox" && applet !== undefined) {
    return delegates(trial, cause, { path: applet, args: rest, role });
  }
  if (name === "env") return byEnv(trial, cause, called);
  if (shells.has(name)) return byShell(trial, cause, name, args);
  const command = parseWrapperCommand(path, args);
  if (command?.user !== undefined) return asUser(trial, cause, name, command.user, command.words);
  if (command !== undefined) return namedProgram(trial, cause, command.words, "execvp");
  const script = scriptOf(path, args);
  if (script !== undefined) await readScript(trial, cause, name, script);
  return [];
}

async function byShell(
  trial: Trial,
  cause: Cause,
  shell: string,
  args: readonly string[],
): Promise<readonly Delegate[]> {
  const command = parseShellCommand(args);
  if (command === undefined) return [];
  const next: Cause = readsStartupFiles(shell, command, cause.environment)
    ? { ...cause, isUnsettled: true }
    : cause;
  if (command.kind === "text") return byText(trial, next, command.text, shell);
  const { file } = command;
  const read = file.startsWith("/") ? next : byEnvironment(next);
  await readScript(trial, read, shell, { file, endings: [], inPath: true, wantsText: true });
  return [];
}

function byText(trial: Trial, cause: Cause, text: string, shell: string): readonly Delegate[] {
  const program = shellProgram(text, cause.environment);
  if (program === undefined) return [];
  const { words, variable, plain } = program;
  const isCertain = variable === undefined && plain && !isExportedFunction(words[0] ?? "", cause.environment);
  const next: Cause = {
    ...cause,
    chain: [
      ...cause.chain,
      ...(variable === undefined
        ? []
        : [`$${variable} is ${JSON.stringify(cause.environment.get(variable))}`]),
    ],
    severity: isCertain ? cause.severity : "warning",
  };
  trial.steps.push({ kind: "text", path: text, detail: `${shell} starts ${words[0] ?? ""}` });
  return namedProgram(trial, next, words, "shell");
}

function byEnv(trial: Trial, cause: Cause, { path, args, role }: Called): readonly Delegate[] {
  const isShebang = role === "interpreter";
  const command = parseEnvCommand(args, cause.environment);
  const name = command?.words[0];
  if (command === undefined || name === undefined) return [];
  const environment = new Map(command.cleared ? [] : cause.environment);
  for (const [key, value] of command.changes) {
    if (value === undefined) environment.delete(key);
    else environment.set(key, value);
  }
  if (command.splits && isBusybox(trial, path)) {
    report(
      trial,
      { ...cause, severity: "warning" },
      {
        code: "SCRIPT_ENV_ARGUMENTS",
        prediction: "could fail",
        message: `${path} is BusyBox's env, of which not every version knows -S.`,
        hint: "Use a base with coreutils, or write a script that needs no env -S.",
      },
    );
  }
  if (isShebang && !command.splits && name.includes(" ")) {
    report(trial, cause, {
      code: "SCRIPT_ENV_ARGUMENTS",
      prediction: prediction(name, "ENOENT"),
      message: `the kernel hands env all that follows as one argument, so that it looks for a program called ${JSON.stringify(name)}.`,
      hint: `Write #!/usr/bin/env -S ${name}, or leave the arguments out.`,
    });
    return [];
  }
  const searched: Cause = {
    ...cause,
    environment,
    severity: command.expands ? "warning" : cause.severity,
  };
  const isOwn = isBusybox(trial, path) && applets.has(name);
  const mayBeOwn = isOwn && lookPath(trial, name, environment).kind !== "found";
  return namedProgram(
    trial,
    mayBeOwn ? { ...searched, severity: "warning" } : searched,
    command.words,
    isShebang ? "interpreter" : "execvp",
  );
}

/** Whether a program is one of those whose work is to start others: what it could look up itself is of no concern. */
export function startsOthers(path: string): boolean {
  const name = baseName(path);
  return name === "busybox" || name === "env" || shells.has(name) || isWrapper(path);
}

function isBusybox(trial: Trial, path: string): boolean {
  return baseName(trial.files.walk(fromWorkingDirectory(trial, path)).path) === "busybox";
}

/** `gosu USER PROGRAM …`: only root can become somebody. */
async function asUser(
  trial: Trial,
  cause: Cause,
  wrapper: string,
  name: string,
  words: readonly string[],
): Promise<readonly Delegate[]> {
  const { missing, ...user } = await findUser(name, trial.files);
  const chain = [...cause.chain, name];
  if (missing !== undefined) {
    const { what } = missing;
    report(
      trial,
      { ...cause, chain },
      {
        code: "USER_UNKNOWN",
        prediction: `would fail (${wrapper} ends with an error)`,
        message: `the ${what} ${JSON.stringify(missing.name)} is not in ${what === "user" ? "/etc/passwd" : "/etc/group"} of the image.`,
        hint: `Give the ${what} by its number, which needs no entry.`,
      },
    );
    return [];
  }
  if (trial.user.uid !== 0) {
    report(
      trial,
      { chain, severity: "warning" },
      {
        code: "USER_SWITCH_REFUSED",
        prediction: `could fail (${wrapper}: operation not permitted)`,
        message: `the user ${userName(trial)} may not become ${name}, which only root may.`,
        hint: `Leave USER out, or start the program without ${wrapper}.`,
      },
    );
  }
  return namedProgram({ ...trial, user }, { ...cause, chain }, words, "execvp");
}
