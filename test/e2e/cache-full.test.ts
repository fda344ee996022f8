import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ociLayout } from "@undocked/registry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCacheBench, type CacheBench } from "../support/cache-bench.ts";
import { joinCli } from "../support/joined-cli.ts";
import { validateImage } from "../support/random-image.ts";

/* A cache without room, and one that cannot be written: said clearly, or done without; never half. */

/** Mounts that nobody else sees, and that go with the process. */
const flags = [...(process.getuid?.() === 0 ? [] : ["--map-root-user"]), "--mount"];
const probe = spawnSync("unshare", [...flags, "mount", "-t", "tmpfs", "none", tmpdir()], { stdio: "ignore" });
const canMount = probe.status === 0;

let cache: CacheBench;
let bin: string;
let expected: string;
let runs = 0;

beforeAll(async () => {
  cache = await startCacheBench();
  bin = await joinCli(join(cache.place, "cli"));
  writeFileSync(join(cache.place, "Dockerfile"), cache.text);
  expected = await cache.build({ dockerfile: { text: cache.text }, cache: false });
});
afterAll(() => cache[Symbol.asyncDispose]());

/** The lines that a script writes; `$cache` is an empty directory, `$undocked` runs the command, `$build` what is to be built. */
async function run(script: string): Promise<{ readonly lines: readonly string[]; readonly output: string }> {
  const name = `${(runs += 1)}`;
  const directory = join(cache.place, `cache-${name}`);
  mkdirSync(directory);
  const output = join(cache.place, `output-${name}`);
  const env = {
    ...process.env,
    cache: directory,
    undocked: `${process.execPath} ${bin}`,
    build: `build ${cache.context} --file ${join(cache.place, "Dockerfile")} --quiet --output type=oci-layout,dest=${output}`,
  };
  const { stdout } = await promisify(execFile)("unshare", [...flags, "/bin/sh", "-c", script], { env });
  return { lines: stdout.trimEnd().split("\n"), output };
}

async function checkOutput(output: string): Promise<void> {
  const layout = ociLayout(output);
  const root = await layout.resolve("latest");
  expect(root.digest).toBe(expected);
  await validateImage(root, layout);
  rmSync(output, { recursive: true });
}

describe.skipIf(!canMount)("on a file system of its own (needs: unshare --mount)", () => {
  test.each([
    ["size=16k", "full"],
    ["size=64k", "full"],
    ["size=128k", "full or enough"],
    ["size=512k", "full or enough"],
    ["size=1m", "full or enough"],
    ["size=1500k", "full or enough"],
    ["size=2m", "full or enough"],
    ["size=3m", "full or enough"],
    ["size=4m", "full or enough"],
    ["size=8m", "enough"],
    ["size=32m,nr_inodes=6", "full"],
    ["size=32m,nr_inodes=12", "full or enough"],
    ["size=32m,nr_inodes=18", "full or enough"],
    ["size=32m,nr_inodes=24", "full or enough"],
    ["size=32m,nr_inodes=1000", "enough"],
  ])("with %s it is %s; nothing half is left, and with room all is well", async (room, state) => {
    const { lines, output } = await run(`
      mount -t tmpfs -o ${room},mode=755 none $cache
      $undocked $build --cache-dir $cache 2>&1 | grep -o "^sha256:.*\\|\\[[A-Z_]*\\]\\|^ *at .*"
      echo left: $(find $cache -name "*.tmp")
      mount -o remount,size=64m,nr_inodes=1000 none $cache
      $undocked $build --cache-dir $cache 2>&1`);
    const [told, ...more] = lines;
    const outcomes = { full: "[CACHE_UNUSABLE]", enough: expected };
    expect(state.split(" or ").map((outcome) => outcomes[outcome as keyof typeof outcomes])).toContain(told);
    expect(more).toEqual(["left:", expected]);
    await checkOutput(output);
  });

  test("one that may be read alone is refused where it is named, and done without where it is not", async () => {
    const { lines, output } = await run(`
      mount -t tmpfs -o size=32m,mode=755 none $cache
      export XDG_CACHE_HOME=$cache
      $undocked $build
      find $cache -type f -exec touch -d 2020-01-01 {} +
      mount -o remount,ro none $cache
      $undocked $build --cache-dir $cache/undocked 2>&1 | grep -o "^sha256:.*\\|\\[[A-Z_]*\\]\\|^ *at .*"
      $undocked $build 2>&1 | grep -o "^sha256:.*\\|CACHE_UNUSABLE\\|^ *at .*"
      $undocked cache prune --max-age 1d 2>&1 | grep -o "removed.*\\|\\[[A-Z_]*\\]\\|^ *at .*"
      $undocked cache info | wc -l`);
    expect(lines).toEqual([
      expected,
      "[CACHE_UNUSABLE]",
      "CACHE_UNUSABLE",
      expected,
      "[CACHE_UNUSABLE]",
      "5",
    ]);
    await checkOutput(output);
  });

  test.each(["content", "content/blobs", "content/blobs/sha256"])(
    "one whose %s cannot be written is refused where it is named, and done without where it is not",
    async (folder) => {
      const { lines, output } = await run(`
        export XDG_CACHE_HOME=$cache
        mkdir -p $cache/undocked/${folder}
        mount -t tmpfs -o size=1m,ro none $cache/undocked/${folder}
        $undocked $build --cache-dir $cache/undocked 2>&1 | grep -o "^sha256:.*\\|\\[[A-Z_]*\\]\\|^ *at .*"
        $undocked $build 2>&1 | grep -o "^sha256:.*\\|CACHE_UNUSABLE\\|^ *at .*"`);
      expect(lines).toEqual(["[CACHE_UNUSABLE]", "CACHE_UNUSABLE", expected]);
      await checkOutput(output);
    },
  );

  test.each(["size=16k", "size=64k", "size=32m,nr_inodes=6"])(
    "the user's own that fills up on the way with %s is done without, with a warning",
    async (room) => {
      const { lines, output } = await run(`
        mount -t tmpfs -o ${room},mode=755 none $cache
        XDG_CACHE_HOME=$cache $undocked $build 2>&1 | grep -o "^sha256:.*\\|CACHE_UNUSABLE\\|^ *at .*"
        echo left: $(find $cache -name "*.tmp")`);
      expect(lines).toEqual(["CACHE_UNUSABLE", expected, "left:"]);
      await checkOutput(output);
    },
  );

  test("temporary files without room are told as such, and none is left", async () => {
    const { lines } = await run(`
      mount -t tmpfs -o size=64k,mode=755 none $cache
      TMPDIR=$cache $undocked $build --no-cache 2>&1 | grep -o "\\[[A-Z_]*\\]\\|set TMPDIR\\|^ *at .*"
      echo left: $(ls $cache)`);
    expect(lines).toEqual(["[TEMPORARY_UNUSABLE]", "set TMPDIR", "left:"]);
  });
});
