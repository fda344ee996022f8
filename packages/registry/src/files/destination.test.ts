import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import {
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkWritable, destinationOf, writeNamedFile } from "./destination.ts";

let directory: string;
const at = (...names: readonly string[]): string => join(directory, ...names);
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "undocked-destination-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe("a file that somebody named", () => {
  test.each(["new", "old", "sub/new"])("%s is replaced, and nothing is beside it", async (name) => {
    await writeFile(at("old"), "before");
    await writeNamedFile(at(name), "after");
    expect(await readFile(at(name), "utf8")).toBe("after");
    expect((await readdir(directory, { recursive: true })).filter((each) => each.endsWith(".tmp"))).toEqual(
      [],
    );
  });

  test("a link stays, and what it finally leads to is replaced", async () => {
    await mkdir(at("elsewhere"));
    await writeFile(at("elsewhere/target"), "before");
    await symlink("elsewhere", at("folder"));
    await symlink("target", at("elsewhere/second"));
    await symlink("folder/../elsewhere/second", at("first"));
    await writeNamedFile(at("first"), "after");
    expect(await readlink(at("first"))).toBe("folder/../elsewhere/second");
    expect((await lstat(at("elsewhere/second"))).isSymbolicLink()).toBe(true);
    expect(await readFile(at("elsewhere/target"), "utf8")).toBe("after");
    expect((await readdir(at("elsewhere"))).sort()).toEqual(["second", "target"]);
  });

  test("a link's .. is above the directory that the link really lies in", async () => {
    await mkdir(at("deep/inner"), { recursive: true });
    await symlink("deep/inner", at("folder"));
    await symlink("../file", at("deep/inner/link"));
    await writeNamedFile(at("folder/link"), "after");
    expect(await readFile(at("deep/file"), "utf8")).toBe("after");
  });

  test("a link that leads to nothing gets what it leads to", async () => {
    await symlink("missing", at("link"));
    await writeNamedFile(at("link"), "after");
    expect(await readlink(at("link"))).toBe("missing");
    expect(await readFile(at("missing"), "utf8")).toBe("after");
  });

  test.each([
    ["a link in a circle", "loop", "ELOOP"],
    ["a directory", "directory", "EISDIR"],
    ["a name below a file", "file/name", "ENOTDIR"],
    ["a name that is too long", "n".repeat(256), "ENAMETOOLONG"],
  ])("%s is refused, and stays", async (_, name, code) => {
    await symlink("loop", at("loop"));
    await mkdir(at("directory"));
    await writeFile(at("file"), "before");
    await expect(writeNamedFile(at(name), "after")).rejects.toMatchObject({ code });
    expect((await readdir(directory)).sort()).toEqual(["directory", "file", "loop"]);
    expect(await readFile(at("file"), "utf8")).toBe("before");
  });
});

describe.skipIf(process.platform === "win32")("what is no file", () => {
  test("a FIFO gets all bytes, and stays one", async () => {
    execFileSync("mkfifo", [at("fifo")]);
    const bytes = Buffer.alloc(300_000, "x");
    const pieces = async function* (): AsyncGenerator<Uint8Array, void, void> {
      for (let start = 0; start < bytes.byteLength; start += 100_000)
        yield bytes.subarray(start, start + 100_000);
    };
    const read = readFile(at("fifo"));
    await writeNamedFile(at("fifo"), pieces());
    expect((await read).equals(bytes)).toBe(true);
    expect((await stat(at("fifo"))).isFIFO()).toBe(true);
    expect(await readdir(directory)).toEqual(["fifo"]);
  });

  test("a FIFO that nobody reads is waited for until there is a signal", async () => {
    execFileSync("mkfifo", [at("fifo")]);
    const signal = AbortSignal.timeout(200);
    await expect(writeNamedFile(at("fifo"), "after", { signal })).rejects.toThrow(/abort/i);
    expect((await stat(at("fifo"))).isFIFO()).toBe(true);
  });

  test("a link to a FIFO writes to it", async () => {
    execFileSync("mkfifo", [at("fifo")]);
    await symlink("fifo", at("link"));
    const read = readFile(at("fifo"), "utf8");
    await writeNamedFile(at("link"), "after");
    expect(await read).toBe("after");
  });

  test.skipIf(process.getuid?.() !== 0)(
    "a device gets the bytes, stays one, and may refuse them",
    async () => {
      execFileSync("mknod", [at("null"), "c", "1", "3"]);
      execFileSync("mknod", [at("full"), "c", "1", "7"]);
      await writeNamedFile(at("null"), "after");
      await expect(writeNamedFile(at("full"), "after")).rejects.toMatchObject({
        code: "ENOSPC",
        path: at("full"),
      });
      for (const name of ["null", "full"]) expect((await stat(at(name))).isCharacterDevice()).toBe(true);
    },
  );

  test.skipIf(!existsSync("/proc/self/fd"))("a file that is open already is written on", async () => {
    await using file = await open(at("output"), "w");
    await file.writeFile("first\n");
    await symlink(`/proc/self/fd/${file.fd}`, at("link"));
    const before = await file.stat();
    await writeNamedFile(at("link"), "second\n");
    expect(await readFile(at("output"), "utf8")).toBe("first\nsecond\n");
    expect((await stat(at("output"))).ino).toBe(before.ino);
  });
});

test.each([
  "/dev/undocked-nothing",
  "/dev/fd/undocked-nothing",
  "/proc/self/fd/undocked-nothing",
  "/proc/nope/x",
])("no file is made as %s", async (path) => {
  expect(await destinationOf(path)).toEqual({ kind: "stream", path });
  await expect(checkWritable({ kind: "stream", path })).rejects.toMatchObject({ code: "ENOENT" });
});

test.skipIf(!existsSync("/dev/shm"))(
  "a directory below that of the devices is one as any other",
  async () => {
    expect(await destinationOf("/dev/shm/undocked-nothing")).toEqual({
      kind: "nothing",
      path: "/dev/shm/undocked-nothing",
    });
  },
);

describe("before there is anything to write", () => {
  const check = async (path: string): Promise<void> => await checkWritable(await destinationOf(path));

  test("missing directories are made", async () => {
    await check(at("a/b/file"));
    expect(await readdir(at("a"))).toEqual(["b"]);
  });

  test.each([
    ["a name below a file", "file/name", "ENOTDIR"],
    ["a name two below a file", "file/a/name", "ENOTDIR"],
    ["a name to which nothing can be added", "n".repeat(255), "ENAMETOOLONG"],
  ])("%s is told", async (_, name, code) => {
    await writeFile(at("file"), "");
    await expect(check(at(name))).rejects.toMatchObject({ code });
  });

  test.skipIf(process.platform === "win32")("a socket is told", async () => {
    const server = createServer().listen(at("socket"));
    await once(server, "listening");
    await expect(check(at("socket"))).rejects.toMatchObject({ code: "ENXIO" });
    server.close();
  });

  test.skipIf(process.platform === "win32")("a FIFO that nobody reads holds nobody up", async () => {
    execFileSync("mkfifo", [at("fifo")]);
    await check(at("fifo"));
    expect((await destinationOf(at("fifo"))).kind).toBe("stream");
  });
});
