import type { Platform } from "@undocked/registry";
import { isWithin, parentPath } from "../context/path.ts";
import { may } from "./user.ts";
import type { ImageFiles, Walk } from "./image-files.ts";
import type { Finding, ProofStep, UserFacts } from "./proof.ts";

/** One image being judged, and what has been found out so far. */
export interface Trial {
  readonly files: ImageFiles;
  readonly platform: Platform;
  readonly user: UserFacts;
  readonly workingDirectory: string;
  readonly volumes: readonly string[];
  /** What is tried is a health check, which stops no start. */
  readonly isHarmless?: true;
  readonly steps: ProofStep[];
  readonly findings: Finding[];
}

/** How a program came to be started. */
export interface Cause {
  /** From the configuration on. */
  readonly chain: readonly string[];
  /** `warning`: what the run-time environment may still change. */
  readonly severity: Finding["severity"];
  readonly environment: ReadonlyMap<string, string>;
  /** A shell on the way read files first: they may have set any variable, and gone to another directory. */
  readonly isUnsettled?: true;
}

/** The cause of what hangs on variables or on the working directory, and not on the files alone. */
export function byEnvironment(cause: Cause): Cause {
  return cause.isUnsettled === true ? { ...cause, severity: "warning" } : cause;
}

/** An error of the kernel, in its own words. */
export type Errno = "EACCES" | "EIO" | "ELIBBAD" | "ELOOP" | "ENOENT" | "ENOEXEC" | "ENOTDIR";

const words: Readonly<Record<Errno, string>> = {
  EACCES: "permission denied",
  EIO: "input/output error",
  ELIBBAD: "accessing a corrupted shared library",
  ELOOP: "too many levels of symbolic links",
  ENOENT: "no such file or directory",
  ENOEXEC: "exec format error",
  ENOTDIR: "not a directory",
};

/** What stands in the message before the fault itself: `would fail: ENOENT (exec /app: no such file or directory)`. */
export function prediction(program: string, errno: Errno): string {
  return `would fail: ${errno} (exec ${program}: ${words[errno]})`;
}

export interface Fault {
  readonly code: string;
  /** Before the message; what would certainly come. */
  readonly prediction: string;
  /** A sentence. */
  readonly message: string;
  readonly hint: string;
}

/** Writes a fault down. What is not certain is said to be so. */
export function report(
  trial: Trial,
  { chain, severity }: Pick<Cause, "chain" | "severity">,
  fault: Fault,
): void {
  const { code, message, hint } = fault;
  const isCertain = severity === "error";
  const prediction = isCertain ? fault.prediction : fault.prediction.replace(/^would /, "could ");
  trial.findings.push({
    code,
    severity: isCertain && trial.isHarmless !== true ? "error" : "warning",
    message: `${prediction}: ${message} (${chain.join(" → ")})`,
    hint,
    chain,
  });
}

/** The path as the kernel sees it: `..` and links are its business. */
export function fromWorkingDirectory({ files, workingDirectory }: Trial, path: string): string {
  if (path.startsWith("/")) return path;
  const { node, path: real } = files.walk(workingDirectory);
  if (node !== undefined) return `${workingDirectory}/${path}`;
  // The runtime makes it, so that there is a way up from it.
  let [directory, rest] = [real, path];
  for (let up = /^\.\.?(?:\/+|$)/.exec(rest); up !== null; up = /^\.\.?(?:\/+|$)/.exec(rest)) {
    if (up[0].startsWith("..")) directory = parentPath(directory);
    rest = rest.slice(up[0].length);
  }
  return `${directory}/${rest}`;
}

/** The first directory on the way that the user may not search; `undefined`: none. */
export function closedDirectory({ files, user }: Trial, { searched }: Walk): string | undefined {
  return searched.find((path) => {
    const node = files.root.lstat(path);
    return node !== undefined && !may(user, 1, node);
  });
}

export function permissions(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

/** Over which runtimes mount their own (runtime-spec, config-linux.md, "Default Filesystems"). */
const mounted = ["/dev", "/proc", "/sys"];

/** The directory that a runtime mounts over and that a path lies in: what the image has there is hidden, what is there nobody can say. */
export function mountOver(path: string): string | undefined {
  return mounted.find((directory) => isWithin(path, directory));
}

/** How bad it is that nothing is at a path: in a volume somebody may mount it. */
export function severityOfMissing(
  { volumes }: Trial,
  { severity }: Pick<Cause, "severity">,
  path: string,
): Cause["severity"] {
  const mayAppear = mountOver(path) !== undefined || volumes.some((volume) => isWithin(path, volume));
  return mayAppear ? "warning" : severity;
}
