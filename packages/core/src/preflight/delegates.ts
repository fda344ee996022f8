import { baseName } from "../context/path.ts";
import { isApplet, isBusyboxName } from "./busybox.ts";
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

interface Called extends Pick<Execution, "path" | "args" | "role"> {
  /** Whether it is one of BusyBox's programs. Default: if the path leads to BusyBox. */
  readonly ofBusybox?: boolean;
}

const shells = new Set(["sh", "bash", "dash", "ash", "ksh", "zsh"]);

/**
 * What a program is known to start, or to read as its script: shells, `env`, wrappers such as tini, interpreters. The arguments of
 * everything else are its own business.
 */
export async function delegates(trial: Trial, cause: Cause, called: Called): Promise<readonly Delegate[]> {
  const { path, args } = called;
  const name = baseName(path);
  const { ofBusybox = await isBusybox(trial, path) } = called;
  if (isBusyboxName(path) || (ofBusybox && name.startsWith("busybox")))
    return byBusybox(trial, cause, called);
  if (ofBusybox && !isApplet(name)) return noApplet(trial, cause, name);
  if (name === "env") return byEnv(trial, cause, { ...called, ofBusybox });
  if (shells.has(name)) return byShell(trial, cause, { ...called, ofBusybox });
  const command = parseWrapperCommand(path, args);
  if (command?.user !== undefined) return asUser(trial, cause, name, command.user, command.words);
  if (command !== undefined) {
    const started = ofBusybox ? orOwn(trial, cause, command.words[0]) : cause;
    return namedProgram(trial, started, command.words, "execvp");
  }
  const script = scriptOf(path, args);
  if (script !== undefined) await readScript(trial, cause, name, script);
  return [];
}

async function byBusybox(trial: Trial, cause: Cause, { args, role }: Called): Promise<readonly Delegate[]> {
  // It takes itself for an applet too.
  const [applet, ...rest] = args.slice(args.findIndex((arg) => !isBusyboxName(arg)));
  if (applet === undefined || isBusyboxName(applet)) return [];
  if (!/\s/.test(applet)) return delegates(trial, cause, { path: applet, args: rest, role, ofBusybox: true });
  const isReturn = /^\S+\r$/.test(applet);
  report(trial, cause, {
    code: isReturn ? "SCRIPT_CARRIAGE_RETURN" : "APPLET_NOT_FOUND",
    prediction: "would fail (BusyBox ends with 127)",
    message: `BusyBox has no applet called ${JSON.stringify(applet)}; what follows it in a script's first line is one argument.`,
    hint: isReturn
      ? "Save the script with LF line ends (sed -i 's/\\r$//')."
      : `Write #!/bin/${applet}, with a link to BusyBox, or leave the arguments out.`,
  });
  return [];
}

/** It does what it is called as. Who has built one with programs of their own is not known here. */
function noApplet(trial: Trial, { chain }: Cause, name: string): readonly Delegate[] {
  report(
    trial,
    { chain, severity: "warning" },
    {
      code: "APPLET_NOT_FOUND",
      prediction: "could fail (BusyBox ends with 127)",
      message: `the file is BusyBox, which has no applet called ${JSON.stringify(name)}.`,
      hint: "Call the file busybox, or after one of its applets.",
    },
  );
  return [];
}

/** BusyBox may start a program that it has in itself where PATH has none. */
function orOwn(trial: Trial, cause: Cause, name = ""): Cause {
  const mayBeOwn = isApplet(name) && lookPath(trial, name, cause.environment).kind !== "found";
  return mayBeOwn ? { ...cause, severity: "warning" } : cause;
}

async function byShell(
  trial: Trial,
  cause: Cause,
  { path, args, ofBusybox = false }: Called,
): Promise<readonly Delegate[]> {
  const shell = baseName(path);
  const command = parseShellCommand(args);
  if (command === undefined) return [];
  const next: Cause = readsStartupFiles(shell, command, cause.environment)
    ? { ...cause, isUnsettled: true }
    : cause;
  if (command.kind === "text") return byText(trial, next, command.text, { shell, ofBusybox });
  const { file } = command;
  const read = file.startsWith("/") ? next : byEnvironment(next);
  await readScript(trial, read, shell, { file, endings: [], inPath: true, wantsText: true });
  return [];
}

function byText(
  trial: Trial,
  cause: Cause,
  text: string,
  { shell, ofBusybox }: { readonly shell: string; readonly ofBusybox: boolean },
): readonly Delegate[] {
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
  return namedProgram(trial, ofBusybox ? orOwn(trial, next, words[0]) : next, words, "shell");
}

function byEnv(
  trial: Trial,
  cause: Cause,
  { path, args, role, ofBusybox = false }: Called,
): readonly Delegate[] {
  const isShebang = role === "interpreter";
  const command = parseEnvCommand(args, cause.environment);
  const name = command?.words[0];
  if (command === undefined || name === undefined) return [];
  const environment = new Map(command.cleared ? [] : cause.environment);
  for (const [key, value] of command.changes) {
    if (value === undefined) environment.delete(key);
    else environment.set(key, value);
  }
  if (command.splits && ofBusybox) {
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
  return namedProgram(
    trial,
    ofBusybox ? orOwn(trial, searched, name) : searched,
    command.words,
    isShebang ? "interpreter" : "execvp",
  );
}

/** Whether a program is one of those whose work is to start others: what it could look up itself is of no concern. */
export function startsOthers(path: string): boolean {
  const name = baseName(path);
  return isBusyboxName(path) || name === "env" || shells.has(name) || isWrapper(path);
}

/** By its name without links, or by what is in the file: it may be a copy, or another link to the same file. */
async function isBusybox(trial: Trial, path: string): Promise<boolean> {
  const { files } = trial;
  const { path: real, node } = files.walk(fromWorkingDirectory(trial, path));
  return isBusyboxName(real) || (node?.kind === "file" && (await files.facts(real)).elf?.busybox === true);
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
