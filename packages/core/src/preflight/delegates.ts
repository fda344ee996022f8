import { baseName } from "../context/path.ts";
import { parseEnvCommand } from "./env-command.ts";
import type { Execution } from "./execution.ts";
import { lookPath } from "./look-path.ts";
import { userName } from "./reach.ts";
import { shellProgram } from "./shell-text.ts";
import { fromWorkingDirectory, prediction, report, type Cause, type Trial } from "./trial.ts";
import { may } from "./user.ts";

/** A program that a program starts, as far as its arguments say so. */
interface Delegate {
  readonly cause: Cause;
  readonly execution: Execution;
}

const shells = new Set(["sh", "bash", "dash", "ash", "ksh", "zsh"]);

/** What shells and `env` are known to start; the arguments of everything else are its own business. */
export function delegates(trial: Trial, cause: Cause, { path, args, role }: Execution): readonly Delegate[] {
  const name = baseName(path);
  if (name === "env") return byEnv(trial, cause, args, role === "interpreter");
  if (!shells.has(name)) return [];
  const flags = args.findIndex((arg) => !/^-[a-zA-Z]*$/.test(arg));
  const taken = flags === -1 ? args : args.slice(0, flags);
  const rest = flags === -1 ? [] : args.slice(flags);
  const [text] = rest;
  if (text === undefined || taken.some((flag) => flag.includes("s"))) return [];
  if (taken.some((flag) => flag.includes("c"))) return byText(trial, cause, text, name);
  scriptArgument(trial, cause, name, text);
  return [];
}

function byText(trial: Trial, cause: Cause, text: string, shell: string): readonly Delegate[] {
  const program = shellProgram(text, cause.environment);
  if (program === undefined) return [];
  const { words, variable, plain } = program;
  const [word = "", ...args] = words;
  const next: Cause = {
    ...cause,
    chain: [
      ...cause.chain,
      ...(variable === undefined
        ? []
        : [`$${variable} is ${JSON.stringify(cause.environment.get(variable))}`]),
    ],
    severity: variable === undefined && plain ? cause.severity : "warning",
  };
  trial.steps.push({ kind: "text", path: text, detail: `${shell} starts ${word}` });
  return found(trial, next, word, args, "shell");
}

function byEnv(trial: Trial, cause: Cause, args: readonly string[], isShebang: boolean): readonly Delegate[] {
  const command = parseEnvCommand(args);
  const [name, ...rest] = command?.words ?? [];
  if (command === undefined || name === undefined) return [];
  const environment = new Map(command.cleared ? [] : cause.environment);
  for (const [key, value] of command.changes) {
    if (value === undefined) environment.delete(key);
    else environment.set(key, value);
  }
  const blank = isShebang ? name.indexOf(" ") : -1;
  if (blank !== -1) {
    report(trial, cause, {
      code: "SCRIPT_ENV_ARGUMENTS",
      prediction: prediction(name, "ENOENT"),
      message: `the kernel hands env all that follows as one argument, so that it looks for a program called ${JSON.stringify(name)}.`,
      hint: `Write #!/usr/bin/env -S ${name}, or leave the arguments out.`,
    });
    return [];
  }
  return found(trial, { ...cause, environment }, name, rest, isShebang ? "interpreter" : "program");
}

/**
 * A program by name or path, as one that starts it would find it.
 *
 * @param as - the image's program, what a shell starts (which runs texts without `#!` too), or what `#!…env` does
 */
export function found(
  trial: Trial,
  cause: Cause,
  name: string,
  args: readonly string[],
  as: "program" | "shell" | "interpreter",
): readonly Delegate[] {
  const make = (path: string): Delegate => ({
    cause: { ...cause, chain: [...cause.chain, path] },
    execution: {
      path,
      args,
      role: as === "interpreter" ? "interpreter" : "program",
      scripts: 0,
      runsText: as === "shell",
    },
  });
  if (name.includes("/")) return [make(name)];
  const result = lookPath(trial, name, cause.environment);
  if (result.kind === "found") {
    trial.steps.push({ kind: "search", path: name, file: result.path, detail: "in PATH" });
    return [make(result.path)];
  }
  const { searched, closed } = result;
  const chain = [...cause.chain, name.replace("\r", "\\r")];
  if (closed !== undefined) return [make(closed)];
  const isReturn = name.endsWith("\r");
  report(
    trial,
    { ...cause, chain },
    {
      ...(isReturn
        ? { code: "SCRIPT_CARRIAGE_RETURN" }
        : as === "interpreter"
          ? { code: "SCRIPT_INTERPRETER_MISSING" }
          : { code: "ENTRYPOINT_NOT_FOUND" }),
      prediction: `would fail: exec ${JSON.stringify(name)}: executable file not found in $PATH`,
      message: isReturn
        ? "the line of the script ends in a carriage return, which is part of the name."
        : `${name} is not there in PATH (${searched}).`,
      hint: isReturn
        ? "Save the script with LF line ends (sed -i 's/\\r$//')."
        : `Copy ${name} into a directory of PATH, use a base that has it, or name its path.`,
    },
  );
  return [];
}

/** `sh FILE`: the shell opens it to read it. */
function scriptArgument(trial: Trial, cause: Cause, shell: string, file: string): void {
  const { node } = trial.files.walk(fromWorkingDirectory(trial, file));
  const chain = [...cause.chain, file];
  if (node?.kind === "file" && may(trial.user, 4, node)) {
    trial.steps.push({ kind: "script", path: file, detail: `read by ${shell}` });
    return;
  }
  if (node?.kind === "file") {
    report(
      trial,
      { ...cause, chain },
      {
        code: "SCRIPT_UNREADABLE",
        prediction: `would fail (${shell} ends with 126 or 127)`,
        message: `the user ${userName(trial)} may execute ${file} and not read it, which ${shell} does.`,
        hint: "Copy it with COPY --chmod=755.",
      },
    );
    return;
  }
  // A name without a slash is sought in PATH too, by some shells.
  if (!file.includes("/") && lookPath(trial, file, cause.environment).kind === "found") return;
  report(
    trial,
    { ...cause, chain },
    {
      code: "SCRIPT_NOT_FOUND",
      prediction: `would fail (${shell} ends with 127)`,
      message: `${shell} is to read ${file}, which is ${node === undefined ? "not there" : `a ${node.kind}`}.`,
      hint: "Copy the script to that path, or name the path that it has in the image.",
    },
  );
}
