import { baseName } from "../context/path.ts";
import { closureOf } from "../elf/closure.ts";
import type { ElfFacts } from "../elf/elf.ts";
import { libraryUnreadable } from "../elf/library-problems.ts";
import type { ClosureOptions } from "../elf/loaded-object.ts";
import { describeMachine } from "../elf/machine.ts";
import { alternateProblems } from "./alternates.ts";
import type { Walk } from "./image-files.ts";
import { missingDlopens } from "./dlopen.ts";
import { parseLoaderCommand } from "./loader-command.ts";
import { reach } from "./reach.ts";
import {
  byEnvironment,
  fromWorkingDirectory,
  permissions,
  prediction,
  report,
  type Cause,
  type Trial,
} from "./trial.ts";
import { asExecuted } from "./user.ts";
import { closedTo, userLibraries } from "./user-libraries.ts";

/** Follows a dynamic program to its loader and its libraries. @returns whether all of them are in order */
export async function closureFindings(
  trial: Trial,
  cause: Cause,
  path: string,
  walk: Walk,
  elf: ElfFacts,
): Promise<boolean> {
  const { interpreter = "" } = elf;
  const loader = reach(trial, cause, "loader", interpreter, path);
  if (loader === undefined) return false;
  trial.steps.push({
    kind: "interpreter",
    path: interpreter,
    file: loader.walk.path,
    detail: `${permissions(loader.node.mode)} ${loader.node.uid}:${loader.node.gid}, loader of ${path}`,
  });
  const { user, gainsRights } =
    walk.node === undefined ? { user: trial.user, gainsRights: false } : asExecuted(trial.user, walk.node);
  return librariesOf({ ...trial, user }, cause, path, walk, { interpreter, secure: gainsRights });
}

/** What a loader loads that is itself the program which is started. */
export async function byLoader(
  trial: Trial,
  cause: Cause,
  loader: string,
  args: readonly string[],
): Promise<void> {
  const command = parseLoaderCommand(args);
  // A name without a slash is sought as libraries are.
  if (command === undefined || !command.program.includes("/")) return;
  const { program, libraryPath } = command;
  const walk = trial.files.walk(fromWorkingDirectory(trial, program));
  const next: Cause = {
    ...cause,
    chain: [...cause.chain, program],
    environment: new Map([
      ...cause.environment,
      ...(libraryPath === undefined ? [] : [["LD_LIBRARY_PATH", libraryPath] as const]),
    ]),
  };
  const { elf } = walk.node?.kind === "file" ? await trial.files.facts(walk.path) : {};
  if (elf === undefined) {
    report(trial, next, {
      code: "PROGRAM_MISSING",
      prediction: `would fail (${loader} ends with 127)`,
      message: `${loader} is to load ${program}, which is ${walk.node === undefined ? "not in the image" : "no ELF file"}.`,
      hint: "Copy the program to that path.",
    });
    return;
  }
  trial.steps.push({ kind: "program", path: program, file: walk.path, detail: `loaded by ${loader}` });
  unreadable(trial, next, loader, program);
  const itself = await trial.files.facts(trial.files.walk(fromWorkingDirectory(trial, loader)).path);
  const isLoadable = elf.type === "dyn" || elf.type === "exec";
  if (!isLoadable || (!elf.hasDynamic && itself.elf?.loader?.kind === "musl")) {
    report(trial, next, {
      code: "EXECUTABLE_NOT_PROGRAM",
      prediction: `would fail (${loader} ends with an error)`,
      message: `${loader} is to load ${program}, which is ${isLoadable ? "static" : "neither a program nor a library"}.`,
      hint: isLoadable ? `Start ${program} itself.` : "Copy the program that the linker made.",
    });
    return;
  }
  if (itself.elf !== undefined && (elf.machine !== itself.elf.machine || elf.class !== itself.elf.class)) {
    report(trial, next, {
      code: "EXECUTABLE_WRONG_MACHINE",
      prediction: `would fail (${loader} ends with 127)`,
      message: `${loader} is to load ${program}, which is for ${describeMachine(elf)}, and the loader for ${describeMachine(itself.elf)}.`,
      hint: "Copy the program for the image's platform.",
    });
    return;
  }
  // glibc's starts a static program by itself.
  if (!elf.hasDynamic) {
    reach(trial, next, "program", program);
    return;
  }
  const interpreter = fromWorkingDirectory(trial, loader);
  await librariesOf(trial, next, program, walk, { interpreter, secure: false });
}

/** How a dynamic program fails. */
function failureOf(path: string, code: string): string {
  switch (code) {
    case "INTERPRETER_INVALID":
      return prediction(path, "ELIBBAD");
    case "INTERPRETER_DAMAGED":
      return `would fail (${baseName(path)} crashes at once)`;
    case "LIBRARY_VERSION_MISSING":
      return `would fail (the loader of ${path} ends with 1)`;
    default:
      return `would fail (the loader of ${path} ends with 127)`;
  }
}

async function librariesOf(
  trial: Trial,
  cause: Cause,
  path: string,
  { asked }: Walk,
  loaded: Pick<ClosureOptions, "interpreter" | "secure">,
): Promise<boolean> {
  const before = trial.findings.length;
  const libraryPath = cause.environment.get("LD_LIBRARY_PATH");
  const preload = cause.environment.get("LD_PRELOAD");
  const options = {
    workingDirectory: trial.workingDirectory,
    ...loaded,
    ...(libraryPath === undefined ? {} : { libraryPath }),
    ...(preload === undefined ? {} : { preload }),
  };
  const libraries = userLibraries(trial);
  const closure = await closureOf(libraries, asked, options);
  // LD_LIBRARY_PATH comes before nearly all else.
  const { severity } = byEnvironment(cause);
  for (const problem of closure.problems) {
    const isError = problem.severity === "error";
    report(
      trial,
      { chain: cause.chain, severity: isError ? severity : "warning" },
      {
        code: problem.code,
        prediction: isError ? failureOf(path, problem.code) : "could fail",
        message: problem.message,
        hint: problem.hint ?? "Link it statically.",
      },
    );
  }
  for (const { name, file, foundBy } of closure.objects) {
    if (foundBy === "program" || foundBy === "interpreter") continue;
    trial.steps.push({ kind: "library", path: name, file: file.path, detail: `by ${foundBy}` });
  }
  for (const { level, problem } of await alternateProblems(libraries, asked, closure, options)) {
    report(
      trial,
      { chain: cause.chain, severity: "warning" },
      {
        code: problem.code,
        prediction: `could fail on processors with ${level}`,
        message: `${problem.message.replace(/\.$/, "")}; their libraries in glibc-hwcaps come first.`,
        hint: problem.hint ?? "Link it statically.",
      },
    );
  }
  for (const { object, sonames, feature } of await missingDlopens(libraries, asked, closure, options)) {
    report(
      trial,
      { chain: cause.chain, severity: "warning" },
      {
        code: "LIBRARY_DLOPEN_MISSING",
        prediction: "could fail when it runs",
        message: `${object} notes that it opens ${sonames.join(" or ")}${feature === undefined ? "" : ` for ${feature}`}, which the loader finds nowhere in the image.`,
        hint: `Copy ${sonames[0] ?? "it"} into a directory that the loader searches, or use a base that has it.`,
      },
    );
  }
  return trial.findings.slice(before).every(({ severity }) => severity === "warning");
}

/** A loader that is started as a program opens the one that it is to load, as its user. */
function unreadable(trial: Trial, cause: Cause, loader: string, program: string): void {
  const closed = closedTo(trial, trial.files.walk(fromWorkingDirectory(trial, program)));
  if (closed === undefined) return;
  const { message, hint } = libraryUnreadable(program, loader, closed);
  report(trial, cause, {
    code: "LIBRARY_UNREADABLE",
    prediction: `would fail (the loader of ${loader} ends with 127)`,
    message,
    hint,
  });
}
