import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** A program that is not ours and that some tests need. */
interface Tool {
  readonly name: string;
  /** Debian packages that bring it. */
  readonly package: string;
  /** Whether CI must have it. */
  readonly needed: boolean;
  readonly use: string;
}

// JSON, because scripts/test.mjs and .ci/run read the same list.
const tools = JSON.parse(readFileSync(new URL("tools.json", import.meta.url), "utf8")) as readonly Tool[];

/** Where a program lies, as the shell finds it; the system's own directories are searched too. */
export function findProgram(name: string): string | undefined {
  const directories = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
  return directories
    .filter((directory) => directory.startsWith("/"))
    .map((directory) => join(directory, name))
    .find(isExecutable);
}

/**
 * Whether one of the programs is missing: for `test.skipIf(lacks("skopeo", "umoci"))`.
 *
 * With `UNDOCKED_REQUIRE_TOOLS=1` in the environment, as in CI, a program that is marked as needed is an error instead.
 */
export function lacks(...names: readonly string[]): boolean {
  const missing = names.map(toolNamed).filter((tool) => findProgram(tool.name) === undefined);
  const needed = missing.filter((tool) => tool.needed);
  if (process.env["UNDOCKED_REQUIRE_TOOLS"] === "1" && needed.length > 0) {
    throw new Error(
      needed.map((tool) => `${tool.name} is missing; Debian's package is ${tool.package}.`).join("\n"),
    );
  }
  return missing.length > 0;
}

/** Whether the tests do not run as root: what chroot, umoci's unpacking with owners, and namespaces need. */
export const lacksRoot: boolean = process.getuid?.() !== 0;

function toolNamed(name: string): Tool {
  const tool = tools.find((candidate) => candidate.name === name);
  if (tool === undefined) throw new Error(`${name} is not in test/support/tools.json.`);
  return tool;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
