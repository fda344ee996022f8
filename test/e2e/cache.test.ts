import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ociLayout } from "@undocked/registry";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildCli, runCli } from "../support/cli.ts";
import { validateImage } from "../support/random-image.ts";

/* The cache is never wrong: whatever happened to it, a build gives what it gives without one. */

let directory: string;
let outputs = 0;

beforeAll(async () => {
  buildCli();
  directory = mkdtempSync(join(tmpdir(), "undocked-cache-"));
  const context = join(directory, "context");
  mkdirSync(join(context, "files"), { recursive: true });
  for (let at = 0; at < 300; at += 1)
    writeFileSync(join(context, `files/${at}`), `${at} of 300\n`.repeat(500 + at), { mode: 0o644 });
  writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPY files /a\nCOPY files/1 /b/\n");
  await sleep(2100);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Builds into a layout of its own, whose content is checked. */
async function build(context: string, ...flags: string[]): Promise<string> {
  const output = join(directory, `output-${(outputs += 1)}`);
  const args = ["build", join(directory, context), "--output", `type=oci-layout,dest=${output}`, ...flags];
  const { code, stdout, stderr } = await runCli(args);
  expect(code, stderr).toBe(0);
  const layout = ociLayout(output);
  await validateImage(await layout.resolve("latest"), layout);
  rmSync(output, { recursive: true });
  return stdout.trim();
}

function cache(name: string): string[] {
  return ["--cache-dir", join(directory, name)];
}

test("with a cache, with one that is warm and without: the same digest", async () => {
  const expected = await build("context", "--no-cache");
  for (const _ of [1, 2]) expect(await build("context", ...cache("warm"))).toBe(expected);
});

test("another checkout with other times is the same, and compresses nothing", async () => {
  cpSync(join(directory, "context"), join(directory, "checkout"), { recursive: true });
  for (const name of readdirSync(join(directory, "checkout/files")))
    utimesSync(join(directory, "checkout/files", name), 1_500_000_000, 1_500_000_000);
  const expected = await build("context", ...cache("moved"));
  // A blob that was compressed again would be there again.
  rmSync(join(directory, "moved/content/blobs"), { recursive: true });
  const args = ["build", join(directory, "checkout"), "--verify", "content", ...cache("moved")];
  const { stdout, stderr } = await runCli(args);
  expect(stdout.trim(), stderr).toBe(expected);
  expect(readdirSync(join(directory, "moved/content"))).not.toContain("blobs");
});

test("a file written with its size kept and its time set back is seen", async () => {
  cpSync(join(directory, "context"), join(directory, "racy"), { recursive: true });
  const before = await build("racy", ...cache("racy-cache"));
  const path = join(directory, "racy/files/7");
  writeFileSync(path, "8 of 300\n".repeat(507));
  utimesSync(path, 1_500_000_000, 1_500_000_000);
  const after = await build("racy", ...cache("racy-cache"));
  expect(after).not.toBe(before);
  expect(after).toBe(await build("racy", "--no-cache"));
});

test("a cache whose every file is cut in half is made anew", async () => {
  const expected = await build("context", ...cache("cut"));
  for (const entry of readdirSync(join(directory, "cut"), { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) truncateSync(join(entry.parentPath, entry.name), 20);
  }
  expect(await build("context", ...cache("cut"))).toBe(expected);
});

test("undocked cache tells what is there, and takes it away by age and size", async () => {
  const expected = await build("context", ...cache("pruned"));
  const info = await runCli(["cache", "info", ...cache("pruned")]);
  expect(info.stdout).toMatch(/pruned\ncontent +[1-9]\d* files .*\nindexes .*\nrecipes +[1-9]\d* files/);
  for (const entry of readdirSync(join(directory, "pruned"), { recursive: true, withFileTypes: true }))
    if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), 1_700_000_000, 1_700_000_000);
  const pruned = await runCli(["cache", "prune", "--max-age", "7d", ...cache("pruned")]);
  expect(pruned.stdout).toMatch(/^removed +[1-9]\d* files/);
  expect(readdirSync(join(directory, "pruned/content/blobs/sha256"))).toEqual([]);
  expect(await build("context", ...cache("pruned"))).toBe(expected);
});

test("a build keeps a cache within the size that it is given, and info tells as JSON what is there", async () => {
  const expected = await build("context", ...cache("kept-small"));
  const held = async (): Promise<Record<string, unknown>> =>
    JSON.parse((await runCli(["cache", "info", "--json", ...cache("kept-small")])).stdout);
  expect(await held()).toMatchObject({
    directory: join(directory, "kept-small"),
    content: { files: expect.any(Number), size: expect.any(Number) },
    indexes: { files: 0, size: 0 },
    recipes: { files: expect.any(Number), size: expect.any(Number) },
    references: { files: 0, size: 0 },
  });
  for (const entry of readdirSync(join(directory, "kept-small"), { recursive: true, withFileTypes: true }))
    if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), 1_700_000_000, 1_700_000_000);
  writeFileSync(join(directory, "empty.Dockerfile"), "FROM scratch\nLABEL a=b\n");
  await build(
    "context",
    "--file",
    join(directory, "empty.Dockerfile"),
    "--cache-max-size=1kB",
    ...cache("kept-small"),
  );
  expect(await held()).toMatchObject({ content: { files: 0 } });
  expect(await build("context", ...cache("kept-small"))).toBe(expected);
});

test.each([
  ["cache", ""],
  ["cache", "clear"],
  ["cache", "prune", "--max-size", "lots"],
  ["build", "--cache-max-size", "1"],
])("%s %s is a wrong command line", async (...args) => {
  expect((await runCli(args.filter((argument) => argument !== undefined))).code).toBe(2);
});

test("a cache in the context is no part of the image, and of a relative XDG_CACHE_HOME nothing is there", async () => {
  const context = join(directory, "around");
  cpSync(join(directory, "context"), context, { recursive: true });
  writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPY . /app/\n");
  const names = readdirSync(context);
  const expected = await build("around", "--no-cache");
  const env = { XDG_CACHE_HOME: "caches", HOME: join(directory, "home") };
  for (const flags of [[], ["--cache-dir", ".cache"]]) {
    for (const _ of [1, 2]) {
      const { stdout, stderr } = await runCli(["build", ".", ...flags], { cwd: context, env });
      expect(stdout.trim(), stderr).toBe(expected);
    }
  }
  expect(readdirSync(context).filter((name) => !names.includes(name))).toEqual([".cache"]);
  expect(readdirSync(join(directory, "home/.cache"))).toEqual(["undocked"]);
});
