import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { findProgram } from "./tools.ts";

const run = promisify(execFile);

export interface StartOptions {
  /** An OCI layout. */
  readonly layout: string;
  readonly tag: string;
  /** Added to the image's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** `chroot` (default): a process in the unpacked root. `runc`: a container. */
  readonly by?: "chroot" | "runc";
}

export interface StartedImage extends AsyncDisposable {
  /** The unpacked root, on the host. */
  readonly root: string;
  /** What it has written to its two streams so far. */
  output(): string;
  /** Its exit status or signal, once it has ended. */
  readonly ended: Promise<number | string>;
  /** Asks a URL from inside the image's network; again, up to a limit, until there is an answer. */
  get(url: string): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** What `startImage` needs besides root: for `test.skipIf(lacksRoot || lacks(...startTools))`. */
export const startTools = ["umoci", "unshare", "ip"] as const;

/**
 * Unpacks an image with umoci and starts it as umoci read its configuration: arguments, environment, working directory. It
 * has a network namespace of its own, so that several images may listen on the same port.
 */
export async function startImage(options: StartOptions): Promise<StartedImage> {
  const directory = await mkdtemp(join(tmpdir(), "undocked-start-"));
  const bundle = join(directory, "bundle");
  try {
    await run("umoci", ["unpack", "--image", `${options.layout}:${options.tag}`, bundle]);
    const start = options.by === "runc" ? inContainer : inRoot;
    const { command, env, stop } = await start(bundle, options.env ?? {});
    // Each step becomes the next, so that the process we have is the image's own.
    const script = `${pathOf("ip")} link set lo up && exec "$@"`;
    const child = spawn(pathOf("unshare"), ["--net", "--", "/bin/sh", "-c", script, "sh", ...command], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...env },
    });
    return started(child, join(bundle, "rootfs"), async () => {
      await stop();
      await rm(directory, { recursive: true, force: true });
    });
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

/** What we use of the OCI runtime configuration that umoci makes of the image's. */
interface RuntimeConfig {
  readonly process: {
    readonly terminal?: boolean;
    readonly args: readonly string[];
    readonly env?: readonly string[];
    readonly cwd: string;
  };
  readonly linux?: { readonly namespaces?: readonly { readonly type: string }[] };
}

interface Start {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Ends what ending the process does not. */
  readonly stop: () => Promise<void>;
}

async function inRoot(bundle: string, added: Readonly<Record<string, string>>): Promise<Start> {
  const { process } = await readConfig(bundle);
  const root = join(bundle, "rootfs");
  return {
    command: [pathOf("unshare"), `--root=${root}`, `--wd=${process.cwd}`, "--", ...process.args],
    env: { ...environment(process.env ?? []), ...added },
    stop: async () => {},
  };
}

async function inContainer(bundle: string, added: Readonly<Record<string, string>>): Promise<Start> {
  const config = await readConfig(bundle);
  const state = join(bundle, "state");
  const id = `undocked-${basename(join(bundle, "..")).replace(/[^\w]/g, "-")}`;
  const changed = {
    ...config,
    process: {
      ...config.process,
      terminal: false,
      env: [...(config.process.env ?? []), ...Object.entries(added).map((pair) => pair.join("="))],
    },
    // Without a network namespace of its own it has the one that runc is started in.
    linux: {
      ...config.linux,
      namespaces: config.linux?.namespaces?.filter(({ type }) => type !== "network") ?? [],
    },
  };
  await writeFile(join(bundle, "config.json"), JSON.stringify(changed));
  return {
    command: [pathOf("runc"), "--root", state, "run", "--bundle", bundle, id],
    env: { PATH: process.env["PATH"] ?? "" },
    stop: async () => {
      await run(pathOf("runc"), ["--root", state, "delete", "--force", id]).catch(() => {});
    },
  };
}

async function readConfig(bundle: string): Promise<RuntimeConfig> {
  return JSON.parse(await readFile(join(bundle, "config.json"), "utf8")) as RuntimeConfig;
}

function environment(variables: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    variables.map((variable) => {
      const at = variable.indexOf("=");
      return [variable.slice(0, at), variable.slice(at + 1)];
    }),
  );
}

function started(child: ChildProcess, root: string, clean: () => Promise<void>): StartedImage {
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => chunks.push(chunk));
  const output = (): string => Buffer.concat(chunks).toString();
  const ended = new Promise<number | string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  return {
    root,
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
      await clean();
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

function pathOf(program: string): string {
  const path = findProgram(program);
  if (path === undefined) throw new Error(`${program} is not on this machine.`);
  return path;
}
