import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { copyImage, ociLayout } from "@undocked/registry";
import type { MadeImage } from "./make-image.ts";
import { pathOf } from "./own-network.ts";

const run = promisify(execFile);

/** What a container of an image did. */
export interface ImageRun {
  /** Its exit code; `undefined`: it never came to be. */
  readonly code: number | undefined;
  readonly output: string;
}

/** What Docker leaves a container; umoci's own configuration takes more away, so that root may not look into others' directories. */
const capabilities = [
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "NET_RAW",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
].map((name) => `CAP_${name}`);

/** Runs an image to its end in a container as Docker would make it: umoci unpacks it and reads its configuration, runc starts it. */
export async function runImage({ root, store }: MadeImage): Promise<ImageRun> {
  const directory = await mkdtemp(join(tmpdir(), "undocked-run-"));
  const [layout, bundle, state] = ["layout", "bundle", "state"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  const id = basename(directory);
  try {
    await copyImage(root, store, ociLayout(layout), { tags: ["1"] });
    await run(pathOf("umoci"), ["unpack", "--image", `${layout}:1`, bundle]);
    await adjust(join(bundle, "config.json"));
    const { stdout, stderr } = await run(pathOf("runc"), ["--root", state, "run", "--bundle", bundle, id], {
      timeout: 30_000,
    });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout = "", stderr = "" } = error as { code?: unknown; stdout?: string; stderr?: string };
    return { code: typeof code === "number" ? code : undefined, output: stdout + stderr || String(error) };
  } finally {
    await run(pathOf("runc"), ["--root", state, "delete", "--force", id]).catch(() => {});
    await rm(directory, { recursive: true, force: true });
  }
}

interface RuntimeConfig {
  readonly process: {
    readonly user: { readonly uid: number };
    readonly [key: string]: unknown;
  };
  readonly linux: { readonly namespaces: readonly { readonly type: string }[] };
}

async function adjust(path: string): Promise<void> {
  const config = JSON.parse(await readFile(path, "utf8")) as RuntimeConfig;
  // Others than root start without any.
  const own = config.process.user.uid === 0 ? capabilities : [];
  const changed = {
    ...config,
    process: {
      ...config.process,
      terminal: false,
      noNewPrivileges: false,
      capabilities: { bounding: capabilities, effective: own, permitted: own },
    },
    linux: { ...config.linux, namespaces: config.linux.namespaces.filter(({ type }) => type !== "network") },
  };
  await writeFile(path, JSON.stringify(changed));
}
