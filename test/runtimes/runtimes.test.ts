import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { registryClient } from "@undocked/registry";
import { startRegistry } from "@undocked/registry/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli, type CliOptions } from "../support/cli.ts";
import { joinCli } from "../support/joined-cli.ts";
import { buildAll } from "./build-all.ts";
import { goldenDigests, writeFixtures } from "./fixtures.ts";

/*
 * One manifest digest for each fixture, whatever runs the build. UNDOCKED_RUNTIMES is the directory into which
 * `node test/runtimes/install.mjs DIRECTORY` has put the programs; what is not there is skipped by name.
 */

interface Runtime {
  readonly name: string;
  /** Before the script: `run -A` of Deno. */
  readonly arguments?: readonly string[];
  /** Where it is not this machine's. */
  readonly architecture?: string;
  /** Older than what the packages need. */
  readonly tooOld?: boolean;
}

const runtimes = JSON.parse(
  readFileSync(new URL("runtimes.json", import.meta.url), "utf8"),
) as readonly Runtime[];
const able = runtimes.filter((runtime) => runtime.tooOld !== true);
const tooOld = runtimes.filter((runtime) => runtime.tooOld === true);
const installed = process.env["UNDOCKED_RUNTIMES"] ?? "";
const isThere = ({ name }: Runtime): boolean => installed !== "" && existsSync(join(installed, name));
let directory: string;
/** As it is published: an emulator starts a few files in a third of the time. */
let undocked: string;

beforeAll(async () => {
  if (!runtimes.some(isThere)) return;
  directory = mkdtempSync(join(tmpdir(), "undocked-runtimes-"));
  undocked = await joinCli(join(directory, "undocked"));
  await writeFixtures(directory);
});
afterAll(() => {
  if (runtimes.some(isThere)) rmSync(directory, { recursive: true, force: true });
});

/** All at once; same-bytes.test.ts has each alone. */
const otherSettings: CliOptions = {
  cwd: "/",
  umask: "077",
  env: {
    UV_THREADPOOL_SIZE: "1",
    TZ: "Pacific/Kiritimati",
    LANG: "tr_TR.UTF-8",
    LC_ALL: "tr_TR.UTF-8",
    // For Node; Bun and Deno list as they do.
    NODE_OPTIONS: `--import=${fileURLToPath(new URL("shuffle-readdir.mjs", import.meta.url))}`,
  },
};

function startedBy(runtime: Runtime): CliOptions {
  return { node: join(installed, runtime.name), nodeArgs: runtime.arguments ?? [] };
}

// An emulated one takes minutes where others build too.
describe.each(able)("on $name", { timeout: 600_000 }, (runtime) => {
  const absent = !isThere(runtime);

  test.skipIf(absent)("the same digests", async () => {
    expect(await buildAll(directory, startedBy(runtime))).toEqual(goldenDigests());
  });

  // Too long for an emulator; that they do not matter is not of a processor.
  test.skipIf(absent || runtime.architecture !== undefined)(
    "the same digests with other settings",
    async () => {
      expect(await buildAll(directory, { ...startedBy(runtime), ...otherSettings })).toEqual(goldenDigests());
    },
  );

  test.skipIf(absent)("the command pushes, with a cache, and finds it there again", async () => {
    await using registry = await startRegistry();
    const tag = `${registry.host}/team/app:1`;
    const cache = join(directory, `cache-${runtime.name}`);
    const place = join(directory, "fixtures/stages");
    const files = [join(place, "context"), "-f", join(place, "Dockerfile")];
    for (const _ of [1, 2]) {
      const args = [...files, "--cache-dir", cache, "-t", tag, "--push", "--preflight=off"];
      const { code, stderr } = await runCli(["build", ...args], { ...startedBy(runtime), bin: undocked });
      expect(code, stderr).toBe(0);
      // What a runtime's engine tells of a setting that it does not have.
      expect(stderr).not.toContain("flag");
    }
    const pushed = await registryClient().repository(tag).resolve("1");
    expect(pushed.digest).toBe(goldenDigests()["stages"]);
  });
});

describe.each(tooOld)("on $name", (runtime) => {
  const absent = !isThere(runtime);

  test.skipIf(absent).each([["--version"], ["build", "."]])(
    "undocked %s says what it needs",
    async (...args) => {
      const { code, stdout, stderr } = await runCli(args, { ...startedBy(runtime), bin: undocked });
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(/^error: undocked needs Node 20\.19 or newer; this is \d+\.\d+\.\d+\.\n$/);
    },
  );
});
