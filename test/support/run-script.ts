import { execFile, execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));

/** Compiles a package, for scripts in processes of their own: they have no sources to run. */
export function compilePackage(folder: string): void {
  execFileSync(`${root}node_modules/.bin/tsc`, ["-b", `packages/${folder}`], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
}

/** Runs a module's text in a Node of its own, from where the packages are found; gives what it prints. */
export async function runScript(
  text: string,
  args: readonly string[] = [],
  nodeFlags: readonly string[] = [],
): Promise<string> {
  const { stdout } = await run(
    process.execPath,
    [...nodeFlags, "--input-type=module", "--eval", text, ...args],
    { cwd: root },
  );
  return stdout;
}
