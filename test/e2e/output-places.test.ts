import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { buildImage, memoryTree, type Output } from "@undocked/core";
import { ociLayout, openDockerArchive, openOciArchive } from "@undocked/registry";
import { startRegistry, type RunningRegistry } from "@undocked/registry/server";
import { buildCli, cliPath, runCli } from "../support/cli.ts";
import { validateImage } from "../support/random-image.ts";

let place: string;
const at = (name: string): string => join(place, name);
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-places-"));
  return () => rmSync(place, { recursive: true, force: true });
});

async function build(content: string, ...outputs: readonly Output[]): Promise<string> {
  await using image = await buildImage({
    dockerfile: { text: "FROM scratch\nCOPY f /f\n" },
    context: memoryTree({ "/f": content }),
    cache: false,
    tags: ["app:1"],
    outputs,
  });
  return image.digest;
}

describe("an output", () => {
  describe("as a layout in an empty directory", () => {
    const aborted = async (): Promise<void> => {
      const stop = new AbortController();
      await buildImage({
        dockerfile: { text: "FROM scratch\nCOPY f /f\n" },
        context: memoryTree({ "/f": "content" }),
        cache: false,
        outputs: [{ type: "oci-layout", path: at("layout") }],
        signal: stop.signal,
        onEvent(event) {
          if ("to" in event && event.to === at("layout")) stop.abort(new Error("enough"));
        },
      });
    };

    test("leaves it empty when it is aborted", async () => {
      mkdirSync(at("layout"));
      const { ino } = statSync(at("layout"));
      await expect(aborted()).rejects.toThrow("enough");
      expect(readdirSync(at("layout"))).toEqual([]);
      expect(statSync(at("layout")).ino).toBe(ino);
    });

    test("leaves nothing where there was nothing when it is aborted", async () => {
      await expect(aborted()).rejects.toThrow("enough");
      expect(readdirSync(place)).toEqual([]);
    });

    test("fills it, and leaves its mode", async () => {
      mkdirSync(at("layout"), { mode: 0o700 });
      const { ino } = statSync(at("layout"));
      const digest = await build("a", { type: "oci-layout", path: at("layout") });
      expect(readdirSync(at("layout")).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
      expect(statSync(at("layout"))).toMatchObject({ ino, mode: 0o40700 });
      const root = await ociLayout(at("layout")).resolve("1");
      expect(root.digest).toBe(digest);
      await validateImage(root, ociLayout(at("layout")));
    });
  });

  test.each(["oci-archive", "docker-archive"] as const)("as %s goes into a FIFO", async (type) => {
    execFileSync("mkfifo", [at("fifo")]);
    const read = readFile(at("fifo"));
    const digest = await build("a", { type, path: at("fifo") });
    expect(statSync(at("fifo")).isFIFO()).toBe(true);
    expect(readdirSync(place)).toEqual(["fifo"]);
    writeFileSync(at("archive"), await read);
    const open = type === "oci-archive" ? openOciArchive : openDockerArchive;
    await using archive = await open(at("archive"));
    const root = await archive.resolve(type === "oci-archive" ? "1" : "app:1");
    if (type === "oci-archive") expect(root.digest).toBe(digest);
    await validateImage(root, archive);
  });

  test.each(["oci-archive", "docker-archive"] as const)(
    "as %s replaces what a link leads to",
    async (type) => {
      mkdirSync(at("elsewhere"));
      writeFileSync(at("elsewhere/target"), "before");
      symlinkSync("elsewhere/target", at("link"));
      await build("a", { type, path: at("link") });
      expect(lstatSync(at("link")).isSymbolicLink()).toBe(true);
      expect(statSync(at("elsewhere/target")).size).toBeGreaterThan(512);
      expect(readdirSync(at("elsewhere"))).toEqual(["target"]);
      expect(readdirSync(place).sort()).toEqual(["elsewhere", "link"]);
    },
  );

  test("as a layout is made where a link leads that led to nothing", async () => {
    symlinkSync("elsewhere", at("link"));
    const digest = await build("a", { type: "oci-layout", path: at("link") });
    expect((await ociLayout(at("elsewhere")).resolve("1")).digest).toBe(digest);
  });

  test.each([
    ["a link in a circle", "loop"],
    ["a name that is too long", "n".repeat(256)],
    ["a name to which nothing can be added", "n".repeat(255)],
    ["a name below a file", "file/name"],
    ["a link below a file", "below"],
  ])("%s is refused, as a file and as a layout", async (_, name) => {
    symlinkSync("loop", at("loop"));
    writeFileSync(at("file"), "");
    symlinkSync("file/name", at("below"));
    for (const type of ["oci-archive", "docker-archive", "oci-layout"] as const) {
      await expect(build("a", { type, path: at(name) })).rejects.toMatchObject({
        code: "OUTPUT_UNWRITABLE",
      });
    }
    expect(readdirSync(place).sort()).toEqual(["below", "file", "loop"]);
  });
});

describe("builds at the same time", () => {
  test.each(["that is to be made", "that is an empty directory"])(
    "put their images into one layout %s",
    async (state) => {
      if (state !== "that is to be made") mkdirSync(at("layout"));
      const names = ["1", "2", "3", "4", "5", "6"];
      const digests = await Promise.all(
        names.map((tag) => build(tag, { type: "oci-layout", path: at("layout"), tag })),
      );
      const layout = ociLayout(at("layout"));
      for (const [position, tag] of names.entries()) {
        const root = await layout.resolve(tag);
        expect(root.digest).toBe(digests[position]);
        await validateImage(root, layout);
      }
      expect(new Set(digests).size).toBe(names.length);
      expect(readdirSync(place)).toEqual(["layout"]);
    },
  );
});

describe("the command", () => {
  let registry: RunningRegistry;
  beforeAll(async () => {
    buildCli();
    registry = await startRegistry();
  });
  afterAll(() => registry.close());
  beforeEach(() => {
    mkdirSync(at("context"));
    writeFileSync(at("context/Dockerfile"), "FROM scratch\nCOPY f /f\n");
    writeFileSync(at("context/f"), "f");
  });
  const undocked = (...args: readonly string[]) => runCli(args, { cwd: place });
  const image = (...args: readonly string[]) => undocked("build", "context", "--no-cache", "-q", ...args);
  const shell = (script: string) => {
    const { status, stdout, stderr } = spawnSync("/bin/sh", ["-c", script, process.execPath, cliPath], {
      cwd: place,
      timeout: 60_000,
    });
    return { code: status, stdout, stderr: stderr.toString() };
  };
  const start = '"$0" "$1" build context --no-cache -q';

  test.skipIf(process.platform === "win32")("writes the image's ID to what standard output is", () => {
    // As /dev/stdout is made.
    symlinkSync("/dev/fd/1", at("stdout"));
    const digest = /^sha256:[0-9a-f]{64}\nsha256:[0-9a-f]{64}$/;
    expect(shell(`${start} --iidfile stdout | cat`).stdout.toString()).toMatch(digest);
    expect(shell(`${start} --iidfile stdout > out`).code).toBe(0);
    expect(readFileSync(at("out"), "utf8")).toMatch(digest);
  });

  test.skipIf(process.platform === "win32")(
    "with dest=- writes the archive alone to standard output",
    async () => {
      const { code, stderr } = shell(`${start} -t app:1 -o type=oci,dest=- | cat > piped`);
      expect(code).toBe(0);
      expect(stderr).toMatch(/^app:1@sha256:[0-9a-f]{64}\n$/);
      shell(`${start} -t app:1 -o type=oci,dest=- > direct`);
      for (const name of ["piped", "direct"]) {
        await using archive = await openOciArchive(at(name));
        const root = await archive.resolve("1");
        expect(stderr).toContain(root.digest);
        await validateImage(root, archive);
      }
      expect(existsSync(at("-"))).toBe(false);
    },
  );

  test.each([
    ["--iidfile", "directory"],
    ["--metadata-file", "directory"],
    ["--iidfile", "file/name"],
    ["--metadata-file", "loop"],
    ...(existsSync("/proc/self") ? [["--iidfile", "/proc/nope/x"]] : []),
  ] as [string, string][])("refuses %s %s before anything is sent", async (flag, name) => {
    mkdirSync(at("directory"));
    writeFileSync(at("file"), "");
    symlinkSync("loop", at("loop"));
    const tag = `${registry.host}/refused/app:1`;
    const { code, stdout, stderr } = await image("-t", tag, "--push", flag, name);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^error: \S+ (?:is a directory|cannot be written: E[A-Z]+: .*)\. \[OUTPUT_UNWRITABLE\]\n {2}hint: /,
    );
    expect((await undocked("tags", `${registry.host}/refused/app`)).code).toBe(1);
  });

  test("reads the Dockerfile from standard input, and files and .dockerignore from the context", async () => {
    writeFileSync(at("context/.dockerignore"), "g\n");
    writeFileSync(at("context/g"), "g");
    const run = (input: string) =>
      runCli(
        [
          "build",
          "context",
          "--no-cache",
          "-q",
          "-f",
          "-",
          "-t",
          "app:1",
          "-o",
          "type=oci-layout,dest=layout",
        ],
        {
          cwd: place,
          input,
        },
      );
    const { stdout, stderr, code } = await run("FROM scratch\nCOPY f /from-stdin\n");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).not.toBe((await image("-t", "app:1")).stdout);
    expect((await run("FROM scratch\nCOPY g /g\n")).stderr).toContain("COPY_SOURCE_MISSING");
    expect((await run("FROM scratch\nCOYP f /f\n")).stderr).toContain("--> <stdin>:2:1");
    expect((await run("")).code).toBe(1);
  });

  test.each(["oci-archive:loop", "docker-archive:loop:a", "oci-archive:file/name"])(
    "copies nothing to %s, and says why",
    async (target) => {
      symlinkSync("loop", at("loop"));
      writeFileSync(at("file"), "");
      await image("-o", "type=oci-layout,dest=layout");
      const { code, stderr } = await undocked("copy", "oci:layout", target);
      expect([code, stderr]).toEqual([1, expect.stringMatching(/^error: .*\[OUTPUT_UNWRITABLE\]\n/)]);
    },
  );

  test.skipIf(process.platform === "win32")("ends when it is told to, though nobody reads a FIFO", () => {
    execFileSync("mkfifo", [at("fifo")]);
    const { code } = shell(`timeout -k 20 4 ${start} --iidfile fifo`);
    // 124: it ended by itself when it got the signal; 137: it had to be killed.
    expect(code).toBe(124);
  });

  test("takes an empty target for none, as docker does", async () => {
    expect(await image("--target", "")).toEqual(await image());
  });

  test.skipIf(process.platform === "win32")(
    "in a directory that was removed tells it, and still has its help",
    () => {
      const gone = "mkdir gone; cd gone; rmdir ../gone;";
      expect(shell(`${gone} "$0" "$1" --help`)).toMatchObject({ code: 0, stderr: "" });
      const { code, stderr } = shell(`${gone} "$0" "$1" build .`);
      expect([code, stderr.split("\n")[0]]).toEqual([
        2,
        "error: The working directory is not there any more: run this in another one.",
      ]);
    },
  );

  test.skipIf(process.platform === "win32")("tells of a layout that may not be read", async () => {
    await image("-o", "type=oci-layout,dest=layout");
    chmodSync(at("layout/index.json"), 0);
    chmodSync(place, 0o755);
    const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const { status, stderr } = spawnSync(process.execPath, [cliPath, "check", at("layout")], {
      ...nobody,
      cwd: "/",
      env: { ...process.env, HOME: place },
      encoding: "utf8",
      timeout: 60_000,
    });
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/^error: \S+index\.json cannot be read: EACCES: .*\. \[FILE_UNREADABLE\]\n/),
    ]);
  });
});
