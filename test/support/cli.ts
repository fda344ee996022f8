import { execFileSync, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** The command as it was compiled last. */
export const cliPath = `${root}packages/cli/dist/bin.js`;

let built = false;

/** Compiles the packages, once a test file: the command runs as it is published. */
export function buildCli(): void {
  if (!built)
    execFileSync(`${root}node_modules/.bin/tsc`, ["-b", "packages/cli"], {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
    });
  built = true;
}

export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd?: string;
  /** Over this process's own; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The file to start. Default: the command as it was compiled last. */
  readonly bin?: string;
  /** Default: the Node of the tests. */
  readonly node?: string;
  /** What that program is given before the command: `run -A` of Deno. */
  readonly nodeArgs?: readonly string[];
  /** What standard input has. Default: nothing. */
  readonly input?: string;
  /** Octal, set by a shell. */
  readonly umask?: string;
  readonly signal?: AbortSignal;
}

/** Runs `undocked` in a process of its own. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  const { bin = cliPath, cwd = root, env = {}, node = process.execPath, nodeArgs = [], umask } = options;
  const command = [node, ...nodeArgs, bin, ...args];
  const [program = "", ...rest] =
    umask === undefined ? command : ["/bin/sh", "-c", `umask ${umask}; exec "$@"`, "sh", ...command];
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "pipe"],
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    // A command that does not read it may be gone before it is written.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}
