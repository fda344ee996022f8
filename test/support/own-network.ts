import { execFile, spawn } from "node:child_process";
import { readlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { findProgram } from "./tools.ts";

const run = promisify(execFile);

/** A program in a network of its own, with nothing in it but loopback. */
export interface IsolatedProgram extends AsyncDisposable {
  /** What it has written to its two streams so far. */
  output(): string;
  /** Its exit status or signal, once it has ended. */
  readonly ended: Promise<number | string>;
  /** Asks a URL from inside its network; again, up to a limit, until there is an answer. */
  get(url: string): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface IsolatedStart {
  /** An absolute path and arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Ends and removes what ending the process does not. */
  readonly clean?: () => Promise<void>;
}

/** What {@link startIsolated} needs besides root. */
export const isolationTools = ["unshare", "nsenter", "ip"] as const;

/** Starts a program in a network namespace of its own, so that several may listen on the same port. */
export function startIsolated({ command, env, clean }: IsolatedStart): IsolatedProgram {
  // Each step becomes the next, so that the process we have is the program itself.
  const script = `${pathOf("ip")} link set lo up && exec "$@"`;
  const child = spawn(pathOf("unshare"), ["--net", "--", "/bin/sh", "-c", script, "sh", ...command], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...env },
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
  const output = (): string => Buffer.concat(chunks).toString();
  const ended = new Promise<number | string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  return {
    output,
    ended,
    get: async (url) => {
      const asked = ask(child.pid ?? 0, url);
      const first = await Promise.race([asked, ended]);
      if (typeof first === "object") return first;
      asked.catch(() => {});
      throw new Error(`It ended with ${first} before it answered: ${output()}`);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await clean?.();
      await ended;
    },
  };
}

// Runs inside the namespace: Node's own client, since nothing else need be there.
const asker = `
  const [url] = process.argv.slice(1);
  const ask = async (left) => {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
      return { status: response.status, body: await response.text() };
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return ask(left - 1);
    }
  };
  ask(150).then((answer) => console.log(JSON.stringify(answer)));
`;

async function ask(pid: number, url: string): Promise<Answer> {
  await ownNetwork(pid);
  // The environment of the tests may name a proxy, which this network does not reach.
  const { stdout } = await run(
    pathOf("nsenter"),
    [`--net=/proc/${pid}/ns/net`, "--", process.execPath, "-e", asker, url],
    { env: {} },
  );
  return JSON.parse(stdout) as Answer;
}

/** Resolves once the process has left our network for its own. */
async function ownNetwork(pid: number): Promise<void> {
  const ours = await readlink("/proc/self/ns/net");
  for (let left = 500; left > 0; left -= 1) {
    const its = await readlink(`/proc/${pid}/ns/net`).catch(() => ours);
    if (its !== ours) return;
    await sleep(20);
  }
  throw new Error(`Process ${pid} has no network of its own.`);
}

/** Where a program lies that must be there. */
export function pathOf(program: string): string {
  const path = findProgram(program);
  if (path === undefined) throw new Error(`${program} is not on this machine.`);
  return path;
}
