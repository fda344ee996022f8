import { spawn, type ChildProcessByStdio } from "node:child_process";
import { access, constants, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { agentSource, type HostTools, type Job, type Observation, type Refusal } from "./agent.ts";
import { ProbeError } from "./probe-error.ts";

/** How programs are kept apart here. */
export interface Isolation {
  readonly tools: HostTools;
  /** A host program that starts the one named by the arguments after these. */
  readonly command: readonly [string, ...string[]];
  /** Whom root becomes before it enters a user namespace. */
  readonly owner?: Owner;
  /** The host's id that is the image's 0, with those of the image after it. */
  readonly firstId?: number;
  /** Whether there is no id but 0. */
  readonly hasOneId?: true;
}

/** Ids of the host. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const separate = ["--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"];
/** Linux' `nobody`. */
const NOBODY = { uid: 65_534, gid: 65_534 };
/** How many ids an image has, as everywhere by convention. */
const ID_COUNT = 65_536;
/** Behind what systemd hands out to containers, and used by nobody (systemd's UIDS-GIDS). */
const FIRST_ID = 0x7000_0000;

/** Whose a file of the image is on the host; `undefined`: whoever runs this. */
export function ownerOn({ owner, firstId }: Isolation, { uid, gid }: Owner): Owner | undefined {
  if (firstId === undefined) return owner;
  const mapped = (id: number): number => firstId + (id < ID_COUNT ? id : NOBODY.uid);
  return { uid: mapped(uid), gid: mapped(gid) };
}

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
    umount: await hostProgram("umount", "util-linux"),
    pivotRoot: await hostProgram("pivot_root", "util-linux"),
    mkfifo: await hostProgram("mkfifo", "coreutils"),
    sh: await hostProgram("sh", "a shell"),
    ip: await hostProgram("ip", "iproute2"),
  };
  const candidates = process.getuid?.() === 0 ? forRoot(tools) : [ofOneId(tools)];
  for (const candidate of candidates) if (await works(candidate)) return candidate;
  throw new ProbeError("PROBE_UNSUPPORTED", "The kernel lets this user make no user namespace.", {
    hint: "Allow them (sysctl kernel.unprivileged_userns_clone=1, or kernel.apparmor_restrict_unprivileged_userns=0), or run the probe as root.",
  });
}

/** The most of ids and the least of rights first. */
function forRoot(tools: HostTools): readonly Isolation[] {
  const { unshare, sh } = tools;
  // Once the ids are written for it, the process that waits is root in its namespace, and what it starts has root's rights there.
  const waiting = [unshare, "--user", "--", sh, "-c", 'echo && read -r _ && exec "$@"', "sh"] as const;
  const firstOwner = { uid: FIRST_ID, gid: FIRST_ID };
  return [
    { tools, command: [...waiting, unshare, ...separate, "--"], owner: firstOwner, firstId: FIRST_ID },
    { ...ofOneId(tools), owner: NOBODY },
    { tools, command: [unshare, ...separate, "--"] },
  ];
}

function ofOneId(tools: HostTools): Isolation {
  const command = [tools.unshare, "--user", "--map-root-user", ...separate, "--"] as const;
  return { tools, command, hasOneId: true };
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

async function works(isolation: Isolation): Promise<boolean> {
  try {
    const child = await start(isolation, ["-e", ""]);
    child.stdout.resume();
    return await new Promise((resolve) => {
      child.once("close", (code) => resolve(code === 0));
    });
  } catch {
    // What this machine refuses another candidate may do without.
    return false;
  }
}

type Started = ChildProcessByStdio<Writable, Readable, null>;

/** Starts Node.js in namespaces of its own, with a standard input that ends when we do. */
async function start({ command, owner, firstId }: Isolation, args: readonly string[]): Promise<Started> {
  const [program, ...rest] = command;
  const child = spawn(program, [...rest, process.execPath, ...args], {
    stdio: ["pipe", "pipe", "ignore"],
    cwd: "/",
    env: {},
    ...owner,
  });
  // Who has ended reads nothing.
  child.stdin.on("error", () => undefined);
  await new Promise((resolve, reject) => {
    child.once("error", reject);
    if (firstId === undefined) child.once("spawn", () => resolve(undefined));
    else child.stdout.once("data", resolve).once("end", resolve);
  });
  if (firstId === undefined) return child;
  try {
    for (const ids of ["uid_map", "gid_map"])
      await writeFile(`/proc/${child.pid}/${ids}`, `0 ${firstId} ${ID_COUNT}\n`);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  child.stdin.write("\n");
  return child;
}

/** More than the observation of a program that writes without end. */
const MOST_OUTPUT = 1024 * 1024;

/** Starts the program of a job, watches it, and ends it with all that it started. */
export async function runJob(isolation: Isolation, job: Job, signal?: AbortSignal): Promise<Observation> {
  signal?.throwIfAborted();
  const child = await start(isolation, ["-e", agentSource(), JSON.stringify(job)]);
  const kill = (): void => void child.kill("SIGKILL");
  const deadline = setTimeout(kill, job.timeoutMs + 15_000);
  signal?.addEventListener("abort", kill, { once: true });
  try {
    signal?.throwIfAborted();
    const text = await new Promise<string>((resolve, reject) => {
      let text = "";
      child.stdout.on("data", (chunk: unknown) => {
        text = (text + String(chunk)).slice(0, MOST_OUTPUT);
      });
      child.once("error", reject);
      child.once("close", () => resolve(text));
    });
    signal?.throwIfAborted();
    if (text.trim() === "")
      throw new ProbeError("PROBE_UNSUPPORTED", "The namespaces of the probe ended by themselves.");
    const seen: Observation | Refusal = JSON.parse(text);
    if (!("refused" in seen)) return seen;
    throw new ProbeError(
      "PROBE_UNSUPPORTED",
      `The kernel refused ${seen.refused}, which makes the image's root that of its program.`,
      {
        hint: "Run the probe where a container runtime can run, or use undocked check, which starts nothing.",
      },
    );
  } finally {
    clearTimeout(deadline);
    signal?.removeEventListener("abort", kill);
    kill();
  }
}
