import type { Delegate, Execution } from "./execution.ts";
import { lookPath } from "./look-path.ts";
import { isFile, wordsApart } from "./meant.ts";
import { byEnvironment, report, type Cause, type Fault, type Trial } from "./trial.ts";

/** Who starts a program, which decides how it is told of and what becomes of texts. */
export type Starter = "runtime" | "shell" | "interpreter" | "execvp";

const runsText: Readonly<Record<Starter, Execution["runsText"]>> = {
  runtime: "never",
  shell: "always",
  interpreter: "perhaps",
  execvp: "perhaps",
};

/**
 * A program by name or path, as one that starts it would find it.
 *
 * @param by - the container's runtime, a shell, an `env` of a script's first line, or another program
 */
export function namedProgram(
  trial: Trial,
  started: Cause,
  [name = "", ...args]: readonly string[],
  by: Starter,
): readonly Delegate[] {
  const cause = name.startsWith("/") ? started : byEnvironment(started);
  const make = (path: string): Delegate => ({
    trial,
    cause: { ...cause, chain: [...cause.chain, path] },
    execution: {
      path,
      args,
      role: by === "interpreter" ? "interpreter" : "program",
      scripts: 0,
      runsText: runsText[by],
    },
  });
  if (name.includes("/")) return [make(name)];
  const result = lookPath(trial, name, cause.environment);
  if (result.kind === "found") {
    trial.steps.push({ kind: "search", path: name, file: result.path, detail: "in PATH" });
    if (by === "runtime" && !result.path.startsWith("/"))
      report(trial, { ...cause, severity: "warning" }, relative(name));
    return [make(result.path)];
  }
  const { searched, closed } = result;
  if (closed !== undefined) return [make(closed)];
  const isReturn = name.endsWith("\r");
  report(
    trial,
    { ...cause, chain: [...cause.chain, name.replace("\r", "\\r")] },
    {
      code: isReturn
        ? "SCRIPT_CARRIAGE_RETURN"
        : by === "interpreter"
          ? "SCRIPT_INTERPRETER_MISSING"
          : "ENTRYPOINT_NOT_FOUND",
      prediction: `would fail: exec ${JSON.stringify(name)}: executable file not found in $PATH`,
      message: isReturn
        ? "the line of the script ends in a carriage return, which is part of the name."
        : `${name} is not there in PATH (${searched}).`,
      hint: isReturn
        ? "Save the script with LF line ends (sed -i 's/\\r$//')."
        : (meant(trial, cause, name) ??
          `Copy ${name} into a directory of PATH, use a base that has it, or name its path.`),
    },
  );
  return [];
}

/** What whoever wrote the name may have meant: it has words that belong apart, or is a file of the working directory. */
function meant(trial: Trial, { environment }: Cause, name: string): string | undefined {
  return (
    wordsApart(name, (first) => lookPath(trial, first, environment).kind === "found") ??
    (isFile(trial, name) ? `Write ./${name}, which is in the working directory.` : undefined)
  );
}

/** Go's `exec.LookPath` refuses it since 1.19, and so do runtimes that are written in Go. */
function relative(name: string): Fault {
  return {
    code: "ENTRYPOINT_NOT_FOUND",
    prediction: `could fail: exec ${JSON.stringify(name)}: cannot run executable found relative to current directory`,
    message: `an element of PATH is relative or empty, and only there is ${name}; runc, and so Docker and containerd, take no program from there.`,
    hint: "Let PATH have absolute directories alone, or name the program's path.",
  };
}
