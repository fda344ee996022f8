import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { pathOf, startIsolated, type IsolatedProgram } from "./own-network.ts";

const run = promisify(execFile);

/** Podman with storage of its own, which goes with it. */
export interface Podman extends AsyncDisposable {
  /** Runs one command (`load`, `-i`, path) and gives what it printed. */
  command(...args: readonly string[]): Promise<string>;
  /** Starts an image that was loaded; end it before the podman. */
  start(image: string): IsolatedProgram;
}

export async function privatePodman(): Promise<Podman> {
  const directory = await mkdtemp(join(tmpdir(), "undocked-podman-"));
  const program = pathOf("podman");
  // vfs and cgroupfs work without systemd and on any file system.
  const settings = [
    "--root",
    join(directory, "root"),
    "--runroot",
    join(directory, "run"),
    "--storage-driver=vfs",
    "--cgroup-manager=cgroupfs",
    "--events-backend=file",
    `--runtime=${pathOf("runc")}`,
  ];
  const command = async (...args: readonly string[]): Promise<string> =>
    (await run(program, [...settings, ...args], { maxBuffer: 64 * 1024 * 1024 })).stdout;
  return {
    command,
    start: (image) =>
      startIsolated({
        // The default limits are above what a container may set where this one has none itself.
        command: [
          program,
          ...settings,
          "run",
          "--network=host",
          "--ulimit=nofile=1024:1024",
          "--ulimit=nproc=1024:1024",
          image,
        ],
        env: { PATH: process.env["PATH"] ?? "", HOME: directory },
        clean: async () => {
          await command("rm", "--all", "--force", "--time=0");
        },
      }),
    async [Symbol.asyncDispose]() {
      await command("rmi", "--all", "--force").catch(() => {});
      await run("umount", [join(directory, "root/vfs")]).catch(() => {});
      await rm(directory, { recursive: true, force: true });
    },
  };
}
