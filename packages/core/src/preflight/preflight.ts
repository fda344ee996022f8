import type { ContainerConfig, Platform } from "@undocked/registry";
import { baseName, cleanPath, joinPath, parentPath } from "../context/path.ts";
import type { RootFs } from "../rootfs/rootfs.ts";
import { execute } from "./execute.ts";
import { imageFiles, type ImageFiles } from "./image-files.ts";
import { namedProgram } from "./named-program.ts";
import type { Proof } from "./proof.ts";
import { report, type Cause, type Trial } from "./trial.ts";
import { findUser, may, type FoundUser } from "./user.ts";

export interface PreflightOptions {
  /** The same files, where more is asked of them: what has been read is not read again. */
  readonly files?: ImageFiles;
}

/**
 * Says whether a container of an image would start, by reading what the kernel, the shell and the loader would read. Nothing is
 * executed. An image without a command is in order: it is there to be built upon.
 */
export async function preflight(
  config: ContainerConfig,
  root: RootFs,
  platform: Platform,
  options: PreflightOptions = {},
): Promise<Proof> {
  const files = options.files ?? imageFiles(root);
  const user = await findUser(config.User ?? "", files);
  const workingDirectory = workingDirectoryOf(config);
  const { missing: _, ...who } = user;
  const trial: Trial = {
    files,
    platform,
    user: who,
    workingDirectory,
    volumes: Object.keys(config.Volumes ?? {}).map((path) => files.walk(cleanPath(path)).path),
    steps: [],
    findings: [],
  };
  const argv = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  const key = (config.Entrypoint ?? []).length > 0 ? "ENTRYPOINT" : "CMD";
  const cause: Cause = {
    chain: [`${key} ${JSON.stringify(argv)}`],
    severity: "error",
    environment: environmentOf(config),
  };
  if (argv.length > 0 && platform.os === "linux") {
    checkUser(trial, user);
    checkWorkingDirectory(trial, cause);
    await start(trial, cause, argv);
    await healthcheck(trial, cause, config);
  }
  const findings = distinct(trial.findings);
  return {
    ok: findings.every(({ severity }) => severity !== "error"),
    platform,
    argv,
    user: who,
    workingDirectory,
    steps: trial.steps,
    findings,
  };
}

function workingDirectoryOf({ WorkingDir }: ContainerConfig): string {
  return WorkingDir === undefined || WorkingDir === "" ? "/" : cleanPath(WorkingDir);
}

/** Of a variable that is given twice, runtimes take the last. */
function environmentOf({ Env = [] }: ContainerConfig): ReadonlyMap<string, string> {
  return new Map(
    Env.map((entry) => {
      const at = entry.indexOf("=");
      return at === -1 ? [entry, ""] : [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}

async function start(trial: Trial, cause: Cause, argv: readonly string[]): Promise<void> {
  if (argv[0] === "") {
    report(trial, cause, {
      code: "ENTRYPOINT_EMPTY",
      prediction: "would fail",
      message: "the program's name is the empty text.",
      hint: "Name a program.",
    });
    return;
  }
  for (const next of namedProgram(trial, cause, argv, "runtime"))
    await execute(next.trial, next.cause, next.execution);
}

function checkUser(trial: Trial, { missing, name }: FoundUser): void {
  if (missing === undefined) return;
  const { what } = missing;
  report(
    trial,
    { chain: [`USER ${name}`], severity: "error" },
    {
      code: "USER_UNKNOWN",
      prediction: "would fail",
      message: `the ${what} ${JSON.stringify(missing.name)} is not in ${what === "user" ? "/etc/passwd" : "/etc/group"} of the image.`,
      hint: `Give the ${what} by its number, which needs no entry.`,
    },
  );
}

/** One that is not there is made by the runtime. */
function checkWorkingDirectory(trial: Trial, { environment }: Cause): void {
  const { files, workingDirectory, user } = trial;
  const { node, fault, searched, links } = files.walk(workingDirectory);
  const cause = { chain: [`WORKDIR ${workingDirectory}`], severity: "error" as const, environment };
  if (fault !== undefined || (node !== undefined && node.kind !== "directory")) {
    report(trial, cause, {
      code: "WORKDIR_NOT_DIRECTORY",
      prediction: "would fail",
      message: `the working directory ${workingDirectory} is ${node === undefined ? "not to be reached" : `a ${node.kind}`}: mkdir ${workingDirectory}: not a directory.`,
      hint: "Name a directory in WORKDIR, or copy the file to another path.",
    });
    return;
  }
  if (node === undefined && leadsNowhere(trial)) {
    report(
      trial,
      { ...cause, severity: "warning" },
      {
        code: "WORKDIR_NOT_DIRECTORY",
        prediction: "could fail",
        message: `the working directory ${workingDirectory} is a link to nothing (${links.join(", ")}): Docker makes what it leads to, runc alone says mkdir ${workingDirectory}: file exists.`,
        hint: "Make the directory that the link leads to.",
      },
    );
    return;
  }
  const closed = [...searched, workingDirectory].find((path) => {
    const there = files.walk(path).node;
    return there !== undefined && !may(user, 1, there);
  });
  if (closed === undefined) return;
  report(
    trial,
    { ...cause, severity: "warning" },
    {
      code: "WORKDIR_UNREACHABLE",
      prediction: "could fail",
      message: `the user ${user.name} may not enter ${closed}, on the way to the working directory ${workingDirectory}.`,
      hint: `Give ${closed} mode 0755, or the user as its owner.`,
    },
  );
}

/** Whether the last thing that is there, on the way to the working directory, is a link. */
function leadsNowhere({ files, workingDirectory }: Trial): boolean {
  for (let path = workingDirectory; path !== "/"; path = parentPath(path)) {
    const parent = files.walk(parentPath(path));
    if (parent.node !== undefined)
      return files.root.lstat(joinPath(parent.path, baseName(path))) !== undefined;
  }
  return false;
}

/** A check that cannot run makes a container unhealthy, and stops no start. */
async function healthcheck(
  trial: Trial,
  cause: Cause,
  { Healthcheck, Shell }: ContainerConfig,
): Promise<void> {
  const [kind, ...words] = Healthcheck?.Test ?? [];
  const argv =
    kind === "CMD" ? words : kind === "CMD-SHELL" ? [...(Shell ?? ["/bin/sh", "-c"]), ...words] : [];
  if (argv.length === 0 || argv[0] === "") return;
  const chain = [`HEALTHCHECK ${JSON.stringify(argv)}`];
  await start({ ...trial, isHarmless: true }, { ...cause, chain }, argv);
}

/** A program that is both entrypoint and health check has each fault once. */
function distinct(findings: Trial["findings"]): Trial["findings"] {
  const seen = new Set<string>();
  return findings.filter(({ code, message }) => {
    const key = `${code} ${message}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
