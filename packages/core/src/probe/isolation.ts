import { spawn } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { agentSource, type Job, type Observation } from "./agent.ts";
import { ProbeError } from "./probe-error.ts";

/** How programs are kept apart here. */
export interface Isolation {
  readonly tools: Job["tools"];
  /** Of `unshare`, before the command. */
  readonly flags: readonly string[];
  /** Whom root becomes before it enters a user namespace. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

const separate = ["--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"];
const asUser = ["--user", "--map-root-user", ...separate];
/** Linux' `nobody`. */
const NOBODY = { uid: 65_534, gid: 65_534 };

/**
 * Finds out how a program can be started apart from the host: in a user namespace, which needs no rights and gives none, or where the
 * kernel refuses those, as root in namespaces of its own.
 *
 * @throws {ProbeError} `PROBE_UNSUPPORTED`
 */
export async function findIsolation(): Promise<Isolation> {
  if (process.platform !== "linux") {
    throw new ProbeError("PROBE_UNSUPPORTED", `A probe needs Linux, and this is ${process.platform}.`, {
      hint: "Run it in a Linux machine, or use undocked check, which starts nothing.",
    });
  }
  const tools = {
    unshare: await hostProgram("unshare", "util-linux"),
    mount: await hostProgram("mount", "util-linux"),
    ip: await hostProgram("ip", "iproute2"),
  };
  const isRoot = process.getuid?.() === 0;
  const candidates: Isolation[] = [
    { tools, flags: asUser, ...(isRoot ? { owner: NOBODY } : {}) },
    ...(isRoot ? [{ tools, flags: separate }] : []),
  ];
  for (const candidate of candidates) if (await works(candidate)) return candidate;
  throw new ProbeError("PROBE_UNSUPPORTED", "The kernel lets this user make no user namespace.", {
    hint: "Allow them (sysctl kernel.unprivileged_userns_clone=1, or kernel.apparmor_restrict_unprivileged_userns=0), or run the probe as root.",
  });
}

async function hostProgram(name: string, packageName: string): Promise<string> {
  for (const directory of ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]) {
    const path = join(directory, name);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  throw new ProbeError(
    "PROBE_UNSUPPORTED",
    `A probe needs the program ${name}, which is not on this machine.`,
    {
      hint: `Install ${packageName}.`,
    },
  );
}

function works(isolation: Isolation): Promise<boolean> {
  const child = start(isolation, ["-e", ""], "ignore");
  return new Promise((resolve) => {
    child.once("error", () => resolve(false));
    child.once("close", (code) => resolve(code === 0));
  });
}

function start({ tools, flags, owner }: Isolation, args: readonly string[], stdout: "ignore" | "pipe") {
  return spawn(tools.unshare, [...flags, "--", process.execPath, ...args], {
    stdio: ["ignore", stdout, "ignore"],
    cwd: "/",
    env: {},
    ...owner,
  });
}

/** More than the observation of a program that writes without end. */
const MOST_OUTPUT = 1024 * 1024;

/** Starts the program of a job, watches it, and ends it with all that it started. */
export async function runJob(isolation: Isolation, job: Job, signal?: AbortSignal): Promise<Observation> {
  signal?.throwIfAborted();
  const child = start(isolation, ["-e", agentSource(), JSON.stringify(job)], "pipe");
  const kill = (): void => void child.kill("SIGKILL");
  const deadline = setTimeout(kill, 2 * job.timeoutMs + 15_000);
  signal?.addEventListener("abort", kill, { once: true });
  try {
    const text = await new Promise<string>((resolve, reject) => {
      let text = "";
      child.stdout?.on("data", (chunk: unknown) => {
        text = (text + String(chunk)).slice(0, MOST_OUTPUT);
      });
      child.once("error", reject);
      child.once("close", () => resolve(text));
    });
    signal?.throwIfAborted();
    if (text === "")
      throw new ProbeError("PROBE_UNSUPPORTED", "The namespaces of the probe ended by themselves.");
    const seen: Observation = JSON.parse(text);
    return seen;
  } finally {
    clearTimeout(deadline);
    signal?.removeEventListener("abort", kill);
    kill();
  }
}
