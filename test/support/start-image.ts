import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { isolationTools, pathOf, startIsolated, type IsolatedProgram } from "./own-network.ts";

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

export interface StartedImage extends IsolatedProgram {
  /** The unpacked root, on the host. */
  readonly root: string;
}

/** What `startImage` needs besides root: for `test.skipIf(lacksRoot || lacks(...startTools))`. */
export const startTools = ["umoci", ...isolationTools] as const;

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
    const clean = async (): Promise<void> => {
      await stop();
      await rm(directory, { recursive: true, force: true });
    };
    return { ...startIsolated({ command, env, clean }), root: join(bundle, "rootfs") };
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
