import type { ContainerConfig, Diagnostic, Platform } from "@undocked/registry";
import { closureOf } from "../elf/closure.ts";
import { staticGate } from "../elf/gate.ts";
import { DynamicFlag } from "../elf/dynamic.ts";
import type { ExecutableReport } from "../elf/inspect.ts";
import type { ImageFiles } from "./image-files.ts";

/** Bytes of the smallest ELF header; what is shorter is no program. */
const SMALLEST = 52;

/**
 * What the programs among an image's files lack: each must be static, or have its loader and its libraries, in the versions that
 * it needs, in the image. Libraries that nobody starts are not asked for theirs.
 *
 * @param paths - absolute; those that are no files of the image any more are passed over
 */
export async function selfContainedFindings(
  files: ImageFiles,
  paths: Iterable<string>,
  { Env = [], WorkingDir }: ContainerConfig,
  platform: Platform,
): Promise<readonly Diagnostic[]> {
  const variable = (name: string): string | undefined =>
    Env.findLast((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
  const libraryPath = variable("LD_LIBRARY_PATH");
  const options = {
    ...(WorkingDir === undefined ? {} : { workingDirectory: WorkingDir }),
    ...(libraryPath === undefined ? {} : { libraryPath }),
  };
  const found: Diagnostic[] = [];
  const candidates = [...new Set(paths)].filter((path) => {
    const node = files.root.lstat(path);
    return node?.kind === "file" && node.size >= SMALLEST;
  });
  // Files of one archive are taken out of it together.
  for (const path of candidates) files.root.open(path).expect?.();
  for (const path of candidates) {
    const report = await files.report(path, platform);
    if (report.format !== "elf") continue;
    const refusal = isDynamicProgram(report)
      ? wrongMachine(report, path)
      : staticGate(report, { path, platform, mode: "static" });
    if (refusal !== undefined) {
      found.push(refusal);
      continue;
    }
    if (!isDynamicProgram(report)) continue;
    const { problems } = await closureOf(files.libraries, path, options);
    found.push(
      ...problems
        .filter(({ severity }) => severity === "error")
        .map((problem) => ({ ...problem, message: `${path}: ${problem.message}` })),
    );
  }
  return found;
}

/** libc.so.6 and the like have an interpreter, so that they can print their version, and are libraries. */
function isDynamicProgram({ linkage, elf }: ExecutableReport): boolean {
  if (linkage !== "dynamic") return false;
  return elf?.soname === undefined || (elf.flags1 & DynamicFlag.pie) !== 0;
}

function wrongMachine({ problems }: ExecutableReport, path: string): Diagnostic | undefined {
  const problem = problems.find(({ severity }) => severity === "error");
  return problem === undefined ? undefined : { ...problem, message: `${path}: ${problem.message}` };
}
