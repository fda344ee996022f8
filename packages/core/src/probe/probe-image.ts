import { chmod, chown, mkdtemp } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import {
  formatPlatform,
  normalizePlatform,
  parsePlatform,
  type BlobSource,
  type CallOptions,
  type ContainerConfig,
  type Descriptor,
  type Diagnostic,
  type Platform,
} from "@undocked/registry";
import { inScratch } from "@undocked/registry/files";
import { imagesOf } from "../check/documents.ts";
import { readLayers } from "../check/image-root.ts";
import { bytesContent } from "../context/memory-tree.ts";
import { cleanPath } from "../context/path.ts";
import type { SourceNode } from "../context/source-tree.ts";
import { defaultPath } from "../preflight/look-path.ts";
import type { RootFs } from "../rootfs/rootfs.ts";
import type { Observation } from "./agent.ts";
import { findIsolation, ownerOn, runJob, type Isolation } from "./isolation.ts";
import { ProbeError } from "./probe-error.ts";
import { findProgram } from "./program.ts";
import { removeTree } from "./remove-tree.ts";
import { unpack } from "./unpack.ts";

/** What the program is asked, and how long it may take to answer. */
export interface ProbeOptions extends CallOptions {
  /** Default 8082. */
  readonly port?: number;
  /** Default 127.0.0.2, which answers for servers on it and on 0.0.0.0. */
  readonly address?: string;
  /** Of the request, in visible ASCII characters. Default `/`. */
  readonly path?: string;
  /** How long to wait for the port and the answer. Default 10 seconds. */
  readonly timeoutMs?: number;
}

/** What a started image did. */
export interface ProbeResult extends Observation {
  readonly ok: boolean;
  readonly argv: readonly string[];
  /** Why it is not as it should be. */
  readonly findings: readonly Diagnostic[];
}

/**
 * Starts an image's program in a root of its own, with no network but loopback, waits for its port, makes one HTTP request and
 * stops it. Only for Linux, and never part of a build: it is what executes something here.
 *
 * In a user namespace the program is that namespace's root, whatever USER says; `preflight` judges USER.
 *
 * @throws {ProbeError} `PROBE_UNSUPPORTED`, `PROBE_COMMAND_MISSING`, `PROBE_PATH_INVALID`
 */
export async function probeImage(
  root: Descriptor,
  source: BlobSource,
  options: ProbeOptions = {},
): Promise<ProbeResult> {
  const { port = 8082, address = "127.0.0.2", path = "/", timeoutMs = 10_000, signal } = options;
  if (!sendable.test(path)) {
    throw new ProbeError("PROBE_PATH_INVALID", `${JSON.stringify(path)} is no path of a request.`, {
      hint: "Begin with /, and percent-encode spaces, control characters and what is not ASCII.",
    });
  }
  const call = signal === undefined ? {} : { signal };
  const isolation = await findIsolation();
  const host = hostPlatform();
  const [image] = await imagesOf(root, source, { ...call, platform: host });
  if (image === undefined || normalizePlatform(image.platform).architecture !== host.architecture) {
    const its = image === undefined ? "nothing" : formatPlatform(image.platform);
    throw new ProbeError(
      "PROBE_UNSUPPORTED",
      `The image is for ${its}, and this machine is ${formatPlatform(host)}.`,
      { hint: "Run the probe on a machine of the image's platform." },
    );
  }
  const config = image.config.config ?? {};
  const argv = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  if (argv.length === 0) {
    throw new ProbeError("PROBE_COMMAND_MISSING", "The image has neither ENTRYPOINT nor CMD.", {
      hint: "Name a program in ENTRYPOINT.",
    });
  }
  const { seen, left } = await inDirectory(async (directory) => {
    await using layers = readLayers(source, call);
    const files = await layers.rootFs(image);
    const workingDirectory = furnish(files, config);
    const env = environmentOf(config);
    const [name = ""] = argv;
    const program = await findProgram(files, { name, env, workingDirectory, platform: host });
    if ("fault" in program) return { answered: [], ended: program.fault, output: "" };
    await place(files, directory, isolation);
    const { tools } = isolation;
    return await runJob(
      isolation,
      {
        root: directory,
        workingDirectory,
        program: program.path,
        argv,
        env,
        address,
        port,
        path,
        timeoutMs,
        tools,
      },
      signal,
    );
  });
  const findings = judge(seen, { address, port, timeoutMs, hasOneId: isolation.hasOneId === true });
  return { ok: findings.length === 0, argv, ...seen, findings: [...findings, ...left] };
}

/** What an HTTP client can send as it is. */
const sendable = /^\/[!-~]*$/;

/** A directory for the time of its use; `left`: that it could not be removed, which is no fault of what was seen. */
async function inDirectory(
  use: (directory: string) => Promise<Observation>,
): Promise<{ readonly seen: Observation; readonly left: readonly Diagnostic[] }> {
  const directory = await inScratch(mkdtemp(join(tmpdir(), "undocked-probe-")));
  const left: Diagnostic[] = [];
  try {
    return { seen: await use(directory), left };
  } finally {
    await removeTree(directory).catch((error: unknown) => left.push(leftBehind(directory, error)));
  }
}

function leftBehind(directory: string, error: unknown): Diagnostic {
  const why = error instanceof Error ? error.message : String(error);
  return {
    code: "PROBE_LEFT_BEHIND",
    severity: "warning",
    message: `${directory}, in which the program ran, could not be removed: ${why}`,
    hint: "Remove the directory.",
  };
}

async function place(files: RootFs, directory: string, isolation: Isolation): Promise<void> {
  const owner = ownerOn(isolation, { uid: 0, gid: 0 });
  await chmod(directory, 0o755);
  if (owner !== undefined) await chown(directory, owner.uid, owner.gid);
  await unpack(files, directory, (node) => ownerOn(isolation, node));
}

function hostPlatform(): Platform {
  const names: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };
  return parsePlatform(`linux/${names[process.arch] ?? process.arch}`);
}

const directoryNode: SourceNode = { kind: "directory", mode: 0o755, uid: 0, gid: 0, mtime: 0, size: 0 };

/**
 * What a runtime puts into every container: places to mount at, where the image has nothing, and the files of names as Docker mounts them,
 * whatever the image has there. Nobody answers for other names, and what asks is told at once. @returns the working directory
 */
function furnish(root: RootFs, { WorkingDir }: ContainerConfig): string {
  const make = (path: string): void => {
    const place = root.resolve(path);
    if (place.node === undefined && place.obstacle === undefined) root.put(place.path, directoryNode);
  };
  const write = (path: string, text: string): void => {
    const { path: real, node, obstacle } = root.resolve(path);
    if (obstacle !== undefined || node?.kind === "directory") return;
    root.put(real, { ...directoryNode, kind: "file", mode: 0o644 }, bytesContent(Buffer.from(text)));
  };
  for (const path of ["/dev", "/proc", "/sys", "/etc"]) make(path);
  write("/etc/hostname", `${hostname()}\n`);
  write("/etc/hosts", `127.0.0.1\tlocalhost ${hostname()}\n::1\tlocalhost ip6-localhost ip6-loopback\n`);
  write("/etc/resolv.conf", "nameserver 127.0.0.1\n");
  const workingDirectory = WorkingDir === undefined || WorkingDir === "" ? "/" : cleanPath(WorkingDir);
  make(workingDirectory);
  return workingDirectory;
}

function environmentOf({ Env = [] }: ContainerConfig): Record<string, string> {
  const pairs = Env.filter((entry) => entry.includes("=")).map(
    (entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)] as const,
  );
  return { PATH: defaultPath, HOME: "/root", HOSTNAME: hostname(), ...Object.fromEntries(pairs) };
}

function judge(
  { status, answered, ended, output }: Observation,
  {
    address,
    port,
    timeoutMs,
    hasOneId,
  }: {
    readonly address: string;
    readonly port: number;
    readonly timeoutMs: number;
    readonly hasOneId: boolean;
  },
): readonly Diagnostic[] {
  if (status !== undefined) return [];
  const place = `${address}:${port}`;
  const said = output.trim() === "" ? "It wrote nothing." : `It wrote: ${output.trim().slice(-400)}`;
  if (ended !== undefined) {
    return [
      {
        code: "PROBE_ENDED",
        severity: "error",
        message: `The program ended (${ended}) before it answered at ${place}. ${said}`,
        hint: `Run undocked check, which tells what stops a start; a server must go on running.${hasOneId ? " The probe has no id but 0 here: run it as root for a program that becomes another user." : ""}`,
      },
    ];
  }
  if (answered.includes(address)) {
    return [
      {
        code: "PROBE_NOT_HTTP",
        severity: "error",
        message: `Something listens at ${place} and gives no HTTP answer in ${timeoutMs / 1000} s. ${said}`,
        hint: "Answer GET requests there, or name another port with --port.",
      },
    ];
  }
  if (answered.length > 0) {
    return [
      {
        code: "PROBE_WRONG_ADDRESS",
        severity: "error",
        message: `The program listens at ${answered.map((other) => `${other}:${port}`).join(", ")} alone, and not at ${place}: nobody outside of its own loopback address reaches it.`,
        hint: `Listen on 0.0.0.0:${port}, or on ${place}.`,
      },
    ];
  }
  return [
    {
      code: "PROBE_SILENT",
      severity: "error",
      message: `The program runs, and in ${timeoutMs / 1000} s nothing listened at ${place}. ${said}`,
      hint: `Listen on 0.0.0.0:${port}, name the port with --port, or give it more time with --timeout.`,
    },
  ];
}
