import { posix } from "node:path";
import { isWithin } from "../context/path.ts";
import type { FileFormat } from "../elf/format.ts";
import type { ExecutableReport } from "../elf/inspect.ts";
import { byLoader, closureFindings } from "./libraries.ts";
import type { Execution } from "./execution.ts";
import { reach, type Reached } from "./reach.ts";
import { MOST_SCRIPTS, parseShebang } from "./shebang.ts";
import { permissions, prediction, report, type Cause, type Trial } from "./trial.ts";
import { delegates, startsOthers } from "./delegates.ts";

/** Programs that start programs, by any means. */
const MOST_EXECUTIONS = 32;

/** What a shell reads that is told to start it. */
const texts: ReadonlySet<FileFormat> = new Set(["text", "empty", "script-indented", "script-with-bom"]);

/** Follows an execve as the kernel would carry it out, and what the program is known to start then. */
export async function execute(trial: Trial, cause: Cause, execution: Execution): Promise<void> {
  const { path, role } = execution;
  if (cause.chain.length > MOST_EXECUTIONS) return;
  const reached = reach(trial, cause, role, path);
  if (reached === undefined) {
    trial.steps.push({ kind: "program", path, detail: "cannot be opened" });
    return;
  }
  underVolume(trial, cause, path, reached);
  const found = await trial.files.report(reached.walk.path, trial.platform);
  trial.steps.push({
    kind: found.format === "script" ? "script" : role === "program" ? "program" : "interpreter",
    path,
    file: reached.walk.path,
    detail: `${permissions(reached.node.mode)} ${reached.node.uid}:${reached.node.gid}, ${found.format === "elf" ? found.linkage : found.format}`,
  });
  if (found.format === "script") return script(trial, cause, execution, reached);
  if (await starts(trial, cause, execution, reached, found)) {
    if (found.linkage === "loader") return byLoader(trial, cause, path, execution.args);
    for (const next of await delegates(trial, cause, execution)) {
      await execute(next.trial, next.cause, next.execution);
    }
  }
}

/** A mount at a volume hides what the image has there; an anonymous volume gets a copy. */
function underVolume(trial: Trial, { chain }: Cause, path: string, { walk }: Reached): void {
  const volume = trial.volumes.find((volume) => isWithin(walk.path, volume));
  if (volume === undefined) return;
  report(
    trial,
    { chain, severity: "warning" },
    {
      code: "ENTRYPOINT_IN_VOLUME",
      prediction: "could fail where something is mounted",
      message: `${path} lies in the volume ${volume}: Kubernetes, or docker run -v, puts other files there.`,
      hint: "Copy the program to a place outside of the volume.",
    },
  );
}

async function script(trial: Trial, cause: Cause, execution: Execution, { walk }: Reached): Promise<void> {
  const { path, args, scripts, runsText } = execution;
  const { head = "" } = await trial.files.facts(walk.path);
  const shebang = parseShebang(head);
  if (shebang.kind !== "interpreter") {
    const severity = runsText === "never" ? cause.severity : "warning";
    report(
      trial,
      { ...cause, severity },
      {
        code: "SCRIPT_INTERPRETER_UNNAMED",
        prediction: prediction(path, "ENOEXEC"),
        message:
          shebang.kind === "unnamed"
            ? `${path} begins with #! and names no interpreter.`
            : `the first line of ${path} is longer than the kernel reads, which is 256 bytes.`,
        hint: "Write a short line such as #!/bin/sh.",
      },
    );
    return;
  }
  if (scripts >= MOST_SCRIPTS) {
    report(trial, cause, {
      code: "SCRIPT_NESTED",
      prediction: prediction(path, "ELOOP"),
      message: `scripts name scripts as their interpreters, ${MOST_SCRIPTS + 1} deep.`,
      hint: "Name the program that interprets them all.",
    });
    return;
  }
  const { path: interpreter, argument } = shebang;
  if (argument?.endsWith("\r") === true && !/(?:^|\/)(?:env|busybox)$/.test(interpreter)) {
    report(
      trial,
      { chain: cause.chain, severity: "warning" },
      {
        code: "SCRIPT_CARRIAGE_RETURN",
        prediction: "could fail",
        message: `the first line of ${path} ends in a carriage return, which ${interpreter} gets as part of its argument.`,
        hint: "Save the script with LF line ends (sed -i 's/\\r$//').",
      },
    );
  }
  await execute(
    trial,
    { ...cause, chain: [...cause.chain, `#!${interpreter}`.replace("\r", "\\r")] },
    {
      path: interpreter,
      args: [...(argument === undefined ? [] : [argument]), path, ...args],
      role: "interpreter",
      scripts: scripts + 1,
      runsText,
    },
  );
}

/** Whether the kernel, and the loader after it, start what is no script. */
async function starts(
  trial: Trial,
  cause: Cause,
  { path, runsText, scripts }: Execution,
  { walk }: Reached,
  found: ExecutableReport,
): Promise<boolean> {
  const isText = texts.has(found.format);
  const isPlain = isText && found.format !== "script-with-bom";
  if (isPlain && runsText === "always" && scripts === 0) return false;
  // Refused by the kernel, a script is read by the shell that it was started by, and so is a text.
  const isReadable = isText || found.format === "data" || found.format === "pe";
  const isReadInstead = runsText !== "never" && (scripts > 0 || isReadable);
  let ok = true;
  for (const problem of found.problems) {
    const isMinor = startsOthers(walk.path) || found.elf?.busybox === true;
    if (problem.code === "EXECUTABLE_OPENS_LIBRARIES" && isMinor) continue;
    const isKernels = !crashes(problem.code);
    const certain =
      problem.severity === "error" && !isDoubtful(found, problem.code) && !(isKernels && isReadInstead);
    if (certain) ok = false;
    report(
      trial,
      { chain: cause.chain, severity: certain ? cause.severity : "warning" },
      {
        code: problem.code,
        prediction: certain ? fails(path, problem.code) : "could fail",
        message: `${path}: ${problem.message.replace(/: exec format error\.$/, ".")}`,
        hint: problem.hint ?? "Build it again.",
      },
    );
  }
  if (!ok || found.elf === undefined || found.linkage !== "dynamic") return ok;
  return closureFindings(trial, cause, path, walk, found.elf);
}

/** What may well start although nobody can say so from its headers. */
function isDoubtful({ linkage, elf }: ExecutableReport, code: string): boolean {
  if (code === "EXECUTABLE_PACKED") return true;
  return code === "EXECUTABLE_SHARED_LIBRARY" && linkage === "shared" && elf?.entry !== "0x0";
}

/** In the kernel's words, where it is the kernel that refuses. */
function fails(path: string, code: string): string {
  return crashes(code) ? `would fail (${posix.basename(path)} crashes at once)` : prediction(path, "ENOEXEC");
}

/** Whether the kernel starts it even so. */
function crashes(code: string): boolean {
  return /^EXECUTABLE_(?:DEBUG_ONLY|NO_ENTRY|NO_INTERPRETER|NOT_LOADABLE|SHARED_LIBRARY|TRUNCATED|WRONG_OS)$/.test(
    code,
  );
}
