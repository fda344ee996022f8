import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ociLayout, readAll, registryClient } from "@undocked/registry";
import { startRegistry, type RunningRegistry } from "@undocked/registry/server";
import { writeTar } from "@undocked/registry/tar";
import { buildProcess } from "../../examples/hybridless/build.ts";
import { mergedUsrBase } from "../support/bases.ts";
import { buildCli, runCli } from "../support/cli.ts";
import { writeMade } from "../support/make-image.ts";
import { readImage } from "../support/read-image.ts";

let registry: RunningRegistry;
let place: string;

beforeAll(async () => {
  buildCli();
  registry = await startRegistry();
});
afterAll(() => registry.close());
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-cli-"));
  mkdirSync(join(place, "src"));
  writeFileSync(join(place, "src/a.txt"), "a\n");
  writeFileSync(join(place, "Dockerfile"), "FROM scratch\nCOPY src /srv/\n");
  return () => rmSync(place, { recursive: true, force: true });
});

const undocked = (...args: readonly string[]) => runCli(args, { cwd: place });
const build = (...args: readonly string[]) => undocked("build", "--no-cache", ...args);

describe("undocked build", () => {
  test("prints each reference with its digest on standard output, and all else on standard error", async () => {
    const tags = [`${registry.host}/team/app:1.0`, `${registry.host}/team/app`];
    const { code, stdout, stderr } = await build(".", "-t", tags[0] ?? "", "-t", tags[1] ?? "", "--push");
    expect([code, stderr.length > 0]).toEqual([0, true]);
    const digest = /sha256:[0-9a-f]{64}/.exec(stdout)?.[0] ?? "none";
    expect(stdout).toBe(tags.map((tag) => `${tag}@${digest}\n`).join(""));
    const repository = registryClient().repository(`${registry.host}/team/app`);
    expect((await repository.resolve("1.0")).digest).toBe(digest);
    expect((await repository.resolve("latest")).digest).toBe(digest);
  });

  test("prints the digest alone when there is no tag, and nothing more with --quiet", async () => {
    const { code, stdout, stderr } = await build("--quiet");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  });

  test("writes the metadata and the image's ID as buildx does", async () => {
    const { stdout } = await build("--metadata-file", "meta.json", "--iidfile", "iid", "-t", "app:1", "-q");
    const metadata = JSON.parse(readFileSync(join(place, "meta.json"), "utf8"));
    expect(metadata).toMatchObject({
      "containerimage.config.digest": readFileSync(join(place, "iid"), "utf8"),
      "containerimage.digest": stdout.trim().split("@")[1],
      "containerimage.descriptor": {
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        size: expect.any(Number),
      },
      "image.name": "docker.io/library/app:1",
    });
  });

  test("tells its progress as JSON, one event a line", async () => {
    const { stderr } = await build("--progress", "json");
    const kinds = stderr
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { kind: string }).kind);
    expect(kinds).toEqual(expect.arrayContaining(["step", "layer"]));
  });

  test("shows a fault with file, line, column, the line, an underline and the hint, and exits with 1", async () => {
    writeFileSync(join(place, "Dockerfile"), "FROM scratch\nCOPY src /srv/\nRUN chmod +x /srv/a.txt\n");
    const { code, stdout, stderr } = await build("--progress", "plain");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(
      "[DOCKERFILE_UNSUPPORTED]\n  --> Dockerfile:3:1\n  3 | RUN chmod +x /srv/a.txt\n    | ^",
    );
    expect(stderr).toContain("hint: Set the mode where the file is copied: COPY --chmod=755.");
  });

  test.each([
    ["an unknown flag", ["--no-such-flag"], 2, /--no-such-flag.*\nSee undocked build --help\.\n$/],
    ["a level that is none", ["--compression", "gzip:10"], 2, /level of 1 to 9.*not "gzip:10"/],
    ["a context that is none", ["missing"], 1, /missing is not there\. \[CONTEXT_INVALID\]\n {2}hint: /],
    ["a file as the context", ["Dockerfile"], 1, /Dockerfile is a file\. \[CONTEXT_INVALID\]\n {2}hint: /],
    ["a Dockerfile that is none", [".", "-f", "missing"], 1, /hint: .*starts at the working directory/],
    ["a stage that is none", [".", "--target", "x"], 1, /\[DOCKERFILE_INVALID\]\n {2}hint: /],
    [
      "a file as the cache",
      [".", "--cache-dir", "Dockerfile"],
      1,
      /Dockerfile is a file\. \[CACHE_UNUSABLE\]/,
    ],
  ])("tells %s, where it is and what to do", async (_, args, code, told) => {
    const run = await undocked("build", ...args);
    expect(run.stderr).toMatch(told);
    expect(run.code).toBe(code);
  });

  test("tells at which FROM the base cannot be had", async () => {
    writeFileSync(join(place, "Dockerfile"), "ARG A\nFROM 127.0.0.1:1/base\n");
    const { code, stderr } = await build("--quiet");
    expect(stderr).toMatch(/^error: .* \[REGISTRY_UNREACHABLE\]\n {2}--> Dockerfile:2:1\n/);
    expect(code).toBe(1);
  });

  test("takes mappings alone as its context", async () => {
    writeFileSync(join(place, "Mapped"), "FROM scratch\nCOPY app /app/\n");
    const { code, stdout, stderr } = await build("-f", "Mapped", "--map", "src:app", "-q");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^sha256:/);
    writeFileSync(join(place, "Mapped"), "FROM scratch\nCOPY src /app/\n");
    const unmapped = await build("-f", "Mapped", "--map", "src:app", "-q");
    expect(unmapped.code).toBe(1);
    expect(unmapped.stderr).toContain('"/src": not found');
  });

  test.each([
    ["type=oci,dest=out.tar", "out.tar"],
    ["type=oci,dest=out,tar=false", "out/index.json"],
    ["type=docker,dest=out.tar", "out.tar"],
  ])("writes --output %s", async (output, file) => {
    const { code, stderr } = await build("-t", "app:1", "-o", output, "-q");
    expect([code, stderr]).toEqual([0, ""]);
    expect(existsSync(join(place, file))).toBe(true);
  });

  test("takes build arguments from the environment when they have no value", async () => {
    writeFileSync(join(place, "Dockerfile"), "FROM scratch\nARG WHO\nLABEL who=$WHO\n");
    const run = (env: Record<string, string>, ...args: readonly string[]) =>
      runCli(["build", "--no-cache", "-q", ...args], { cwd: place, env });
    const given = await run({}, "--build-arg", "WHO=me");
    expect((await run({ WHO: "me" }, "--build-arg", "WHO")).stdout).toBe(given.stdout);
    expect((await run({ WHO: "you" }, "--build-arg", "WHO")).stdout).not.toBe(given.stdout);
  });

  test("takes SOURCE_DATE_EPOCH from the environment, as buildx does", async () => {
    const run = (env: Record<string, string | undefined>) =>
      runCli(["build", "--no-cache", "-q", "-t", "app:1", "-o", "type=oci-layout,dest=dated"], {
        cwd: place,
        env,
      });
    const { stdout, stderr } = await run({ SOURCE_DATE_EPOCH: "1700000000" });
    expect(stderr).toBe("");
    const layout = ociLayout(join(place, "dated"));
    const { config } = await readImage(await layout.resolve("1"), layout);
    expect(config.created).toBe("2023-11-14T22:13:20Z");
    rmSync(join(place, "dated"), { recursive: true });
    expect((await run({ SOURCE_DATE_EPOCH: undefined })).stdout).not.toBe(stdout);
  });

  test("ends with 1 and leaves nothing when it is interrupted", async () => {
    // A registry that never answers.
    const { createServer } = await import("node:net");
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await new Promise((resolve) => silent.once("listening", resolve));
    const address = silent.address();
    const port = typeof address === "object" ? address?.port : 0;
    writeFileSync(join(place, "Dockerfile"), `FROM 127.0.0.1:${port}/silent\n`);
    const { spawn } = await import("node:child_process");
    const bin = new URL("../../packages/cli/dist/bin.js", import.meta.url).pathname;
    const child = spawn(process.execPath, [bin, "build", "--no-cache", "-o", "type=oci,dest=out.tar"], {
      cwd: place,
    });
    silent.once("connection", () => child.kill("SIGINT"));
    const code = await new Promise((resolve) => child.once("close", resolve));
    silent.close();
    expect(code).toBe(1);
    expect(existsSync(join(place, "out.tar"))).toBe(false);
  });
});

test("undocked registry serve prints its address, serves a directory, and ends when it is asked to", async () => {
  const { spawn } = await import("node:child_process");
  const bin = new URL("../../packages/cli/dist/bin.js", import.meta.url).pathname;
  const child = spawn(process.execPath, [bin, "registry", "serve", join(place, "data")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const host = await new Promise<string>((resolve) =>
    child.stdout.once("data", (data) => resolve(String(data).trim())),
  );
  expect((await build("-t", `${host}/app:1`, "--push", "-q")).code).toBe(0);
  child.kill("SIGTERM");
  expect(await new Promise((resolve) => child.once("close", resolve))).toBe(0);
  expect(existsSync(join(place, "data"))).toBe(true);
});

test("the example of the first seed builds as its README says", async () => {
  await writeMade(await mergedUsrBase(), join(place, "base"), "latest");
  await using image = await buildProcess({
    cache: false,
    namedContexts: {
      "public.ecr.aws/amazonlinux/amazonlinux:latest": `oci-layout://${join(place, "base")}:latest`,
    },
  });
  expect(image.layers).toHaveLength(4);
  expect(image.config.config?.Entrypoint).toEqual(["/bin/sh", "-c", "$ENTRYPOINT"]);
});

test.skipIf(!existsSync("/dev/full"))(
  "an output that cannot be written is told, and is a failure",
  async () => {
    const nodeArgs = ["-c", 'exec "$@" >/dev/full', "sh", process.execPath];
    const run = await runCli(["--help"], { node: "/bin/sh", nodeArgs });
    expect(run.stderr).toMatch(/^error: the output cannot be written: ENOSPC.*\n$/);
    expect(run.code).toBe(1);
  },
);

test.each([
  ["without a cache", ["--no-cache"]],
  ["to unpack an archive", []],
])("a missing directory for temporary files is told, %s", async (_, flags) => {
  const tar = writeTar([
    {
      header: { path: "f", kind: "file", mode: 0o755, uid: 0, gid: 0, mtime: 0, size: 99 },
      body: Buffer.alloc(99),
    },
  ]);
  const context = join(place, "archive");
  mkdirSync(context);
  writeFileSync(join(context, "a.tar"), await readAll(tar));
  writeFileSync(join(context, "Dockerfile"), "FROM scratch\nADD a.tar /\n");
  const args = ["build", context, "--quiet", "--cache-dir", join(place, "cache"), ...flags];
  const run = await runCli(args, { env: { TMPDIR: join(place, "missing") } });
  expect(run.stderr).toMatch(/^error: .*missing.* \[TEMPORARY_UNUSABLE\]\n {2}hint: .*TMPDIR.*\n$/);
  expect(run.code).toBe(1);
});
