import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildCli, runCli, type CliOptions } from "../support/cli.ts";

// S12: the same input gives the same bytes, whatever else differs.
let directory: string;

const names = ["b.txt", "a.txt", "é.txt", "Z.txt", "sub/x", "sub/y/z", "a-b", "a/b"];

function writeTree(root: string, order: readonly string[], mtime: number): void {
  for (const name of order) {
    mkdirSync(join(root, "files", name, ".."), { recursive: true });
    writeFileSync(join(root, "files", name), `${name}\n`.repeat(1000), { mode: 0o644 });
    utimesSync(join(root, "files", name), mtime, mtime);
  }
  symlinkSync("b.txt", join(root, "files/link"));
  writeFileSync(
    join(root, "Dockerfile"),
    'FROM scratch\nARG GREETING=hello\nENV G=$GREETING\nLABEL z=1 a=2\nCOPY files /srv/\nWORKDIR /srv/new\nCMD ["x"]\n',
  );
}

beforeAll(() => {
  buildCli();
  directory = mkdtempSync(join(tmpdir(), "undocked-same-"));
  writeTree(join(directory, "one"), names, 1_700_000_000);
  writeTree(join(directory, "two/deeper"), names.toReversed(), 1_600_000_000);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function digest(context: string, options: CliOptions = {}): Promise<string> {
  const output = join(directory, `out-${Math.random()}`);
  const args = [
    "build",
    join(directory, context),
    "--no-cache",
    "--preflight=off",
    "--output",
    `type=oci-layout,dest=${output}`,
  ];
  const { code, stdout, stderr } = await runCli(args, options);
  expect(code, stderr).toBe(0);
  return stdout.trim();
}

describe("S12: the same digest", () => {
  test.each<[string, string, CliOptions]>([
    ["another directory, file order and times", "two/deeper", {}],
    ["another working directory", "one", { cwd: "/" }],
    ["umask 077", "one", { umask: "077" }],
    ["umask 000", "one", { umask: "000" }],
    ["another time zone", "one", { env: { TZ: "Pacific/Kiritimati" } }],
    ["another locale", "one", { env: { LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" } }],
    ["one thread", "one", { env: { UV_THREADPOOL_SIZE: "1" } }],
    ["more threads", "one", { env: { UV_THREADPOOL_SIZE: "8" } }],
  ])("with %s", async (_, context, options) => {
    const reference = await digest("one");
    expect(reference).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await digest(context, options)).toBe(reference);
  });

  test("is not that of other content", async () => {
    const reference = await digest("one");
    writeTree(join(directory, "three"), names, 1_700_000_000);
    writeFileSync(join(directory, "three/files/a.txt"), "other\n");
    expect(await digest("three")).not.toBe(reference);
  });
});
