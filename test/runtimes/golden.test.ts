import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ociLayout, registryClient } from "@undocked/registry";
import { startRegistry } from "@undocked/registry/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildCli, runCli, type CliOptions } from "../support/cli.ts";
import { validateImage } from "../support/random-image.ts";
import { contexts } from "./contexts.ts";

/*
 * One manifest digest for each context, whatever runs the build. UNDOCKED_RUNTIMES has the programs to ask, separated by
 * colons: versions of Node, Bun, Deno. `expected.json` is added to by UNDOCKED_WRITE_GOLDEN=1, and never edited.
 */

const names = Object.keys(contexts);
const file = new URL("expected.json", import.meta.url);
const shuffle = fileURLToPath(new URL("shuffle-readdir.mjs", import.meta.url));
const runtimes = (process.env["UNDOCKED_RUNTIMES"] ?? "").split(":").filter((path) => path !== "");
let directory: string;

beforeAll(async () => {
  buildCli();
  directory = mkdtempSync(join(tmpdir(), "undocked-runtimes-"));
  for (const [name, write] of Object.entries(contexts)) {
    mkdirSync(join(directory, name));
    await write(join(directory, name));
  }
  if (process.env["UNDOCKED_WRITE_GOLDEN"] === "1") await addGoldens();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function golden(): Record<string, string> {
  return JSON.parse(readFileSync(file, "utf8"));
}

async function addGoldens(): Promise<void> {
  const known = golden();
  for (const name of names) known[name] ??= await layoutDigest(name, {});
  writeFileSync(file, `${JSON.stringify(known, null, 2)}\n`);
}

async function layoutDigest(name: string, options: CliOptions): Promise<string> {
  const output = join(directory, "output");
  rmSync(output, { recursive: true, force: true });
  const place = `type=oci-layout,dest=${output}`;
  const args = ["build", join(directory, name), "--no-cache", "--preflight=off", "--output", place];
  const { code, stdout, stderr } = await runCli(args, options);
  expect(code, stderr).toBe(0);
  const layout = ociLayout(output);
  await validateImage(await layout.resolve("latest"), layout);
  return stdout.trim();
}

describe.each(names)("%s", (name) => {
  test.each<[string, CliOptions]>([
    ["as it is", {}],
    ["with one worker", { env: { UV_THREADPOOL_SIZE: "1" } }],
    ["with two workers", { env: { UV_THREADPOOL_SIZE: "2" } }],
    ["with umask 077, elsewhere", { umask: "077", env: { TZ: "Asia/Kolkata", LC_ALL: "tr_TR.UTF-8" } }],
    ["with directories in any order", { env: { NODE_OPTIONS: `--import=${shuffle}` } }],
  ])("%s", async (_, options) => {
    expect(await layoutDigest(name, options)).toBe(golden()[name]);
  });
});

test.skipIf(runtimes.length === 0)("UNDOCKED_RUNTIMES names other runtimes", () => {
  expect(new Set(runtimes).size).toBe(runtimes.length);
});

describe.each(runtimes)("%s", (runtime) => {
  const options: CliOptions = { node: runtime, ...(isDeno(runtime) ? { nodeArgs: ["run", "-A"] } : {}) };

  test("has the version it tells", () => {
    expect(execFileSync(runtime, ["--version"], { encoding: "utf8" })).toMatch(/\d+\.\d+/);
  });

  test.each(names)("%s", async (name) => {
    expect(await layoutDigest(name, options)).toBe(golden()[name]);
  });

  test("pushes, with a cache, and finds it there again", async () => {
    const registry = await startRegistry();
    const tag = `${registry.host}/team/app:1`;
    const cache = join(directory, `cache-${runtimes.indexOf(runtime)}`);
    const args = ["build", join(directory, "stages"), "--cache-dir", cache, "-t", tag, "--push"];
    for (const _ of [1, 2]) {
      const { code, stderr } = await runCli([...args, "--preflight=off"], options);
      expect(code, stderr).toBe(0);
    }
    const client = registryClient();
    const pushed = await client.repository(tag).resolve("1");
    expect(pushed.digest).toBe(golden()["stages"]);
    await registry.close();
  });
});

function isDeno(runtime: string): boolean {
  return basename(runtime).startsWith("deno");
}
