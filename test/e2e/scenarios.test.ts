import { execFile, execFileSync } from "node:child_process";
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { memoryTree, type BuildOptions, type MemoryFile } from "@undocked/core";
import { MediaType } from "@undocked/registry";
import { directory, file, lambdaBase, link, mergedUsrBase, plainBase } from "../support/bases.ts";
import { startBench, type Bench } from "../support/build-and-read.ts";
import { makeImage } from "../support/make-image.ts";
import { listing, type ReadImage } from "../support/read-image.ts";
import { buildElf } from "../support/tiny-elf.ts";
import { lacks } from "../support/tools.ts";

let bench: Bench;
let place: string;
const bases = { merged: "", plain: "", lambda: "" };

beforeAll(async () => {
  bench = await startBench();
  bases.merged = await bench.publish("merged", await mergedUsrBase());
  bases.plain = await bench.publish("plain", await plainBase());
  bases.lambda = await bench.publish("lambda", await lambdaBase("docker"));
});
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-scenario-"));
  return () => rmSync(place, { recursive: true, force: true });
});

function write(path: string, text = `${path}\n`, mode = 0o644): void {
  mkdirSync(dirname(join(place, path)), { recursive: true });
  writeFileSync(join(place, path), text);
  chmodSync(join(place, path), mode);
}

/** Builds a text over files that are given as values. */
const built = (text: string, files: Readonly<Record<string, MemoryFile>> = {}, options: BuildOptions = {}) =>
  bench.build({ dockerfile: { text }, context: memoryTree(files), ...options });

const last = (image: ReadImage): string[] => listing(image.layers.at(-1) ?? []);

describe("S6: links and special files in what is mapped", () => {
  const files = [{ from: "src", to: "app" }];
  const mapped = (options: BuildOptions = {}): Promise<ReadImage> =>
    bench.build({ project: place, dockerfile: { text: "FROM scratch\nCOPY app /app\n" }, files, ...options });

  test("links stay links, wherever they point, and nothing of the host comes in", async () => {
    write("src/a");
    symlinkSync("/etc/passwd", join(place, "src/absolute"));
    symlinkSync("../../../../../etc/shadow", join(place, "src/climbing"));
    symlinkSync("nowhere", join(place, "src/dangling"));
    symlinkSync("/etc", join(place, "src/tree"));
    const image = await mapped();
    expect(last(image)).toEqual([
      "app/ 0755",
      "app/a 0644",
      "app/absolute -> /etc/passwd",
      "app/climbing -> ../../../../../etc/shadow",
      "app/dangling -> nowhere",
      "app/tree -> /etc",
    ]);
    expect(JSON.stringify(image.layers)).not.toContain("root:");
  });

  test("a from that is a link is followed", async () => {
    write("real/a");
    symlinkSync("real", join(place, "src"));
    expect(last(await mapped())).toEqual(["app/ 0755", "app/a 0644"]);
  });

  test("a from that leads out of the project is refused", async () => {
    symlinkSync("/etc", join(place, "src"));
    await expect(mapped()).rejects.toMatchObject({
      code: "MAPPING_INVALID",
      message: expect.stringContaining("files[0]"),
    });
  });

  test("a socket is left out", async () => {
    write("src/a");
    const server = createServer().listen(join(place, "src/socket"));
    await new Promise((resolve) => server.once("listening", resolve));
    try {
      expect(last(await mapped())).toEqual(["app/ 0755", "app/a 0644"]);
    } finally {
      server.close();
    }
  });

  test("a FIFO is refused with its path, and nobody waits for its other end", async () => {
    write("src/a");
    execFileSync("mkfifo", [join(place, "src/fifo")]);
    await expect(mapped()).rejects.toMatchObject({ message: expect.stringContaining("/src/fifo") });
  });

  test.skipIf(process.getuid?.() !== 0)("a device is refused with its path", async () => {
    mkdirSync(join(place, "src"));
    execFileSync("mknod", [join(place, "src/null"), "c", "1", "3"]);
    await expect(mapped()).rejects.toMatchObject({ message: expect.stringContaining("/src/null") });
  });

  test("hard links are files", async () => {
    write("src/a", "same\n");
    linkSync(join(place, "src/a"), join(place, "src/b"));
    const image = await mapped();
    expect(image.layers.at(-1)?.map(({ path, kind }) => [path, kind])).toEqual([
      ["app", "directory"],
      ["app/a", "file"],
      ["app/b", "file"],
    ]);
  });

  test("a name that a layer would take for a whiteout is refused", async () => {
    write("src/.wh.passwd");
    await expect(mapped()).rejects.toMatchObject({ message: expect.stringContaining(".wh.passwd") });
  });
});

describe("S8: a base of AWS Lambda", () => {
  const text = (base: string): string =>
    [
      `FROM ${base}`,
      "COPY /usr/src/app/ ${LAMBDA_TASK_ROOT}",
      "COPY target/dependency/* ${LAMBDA_TASK_ROOT}/lib/",
      'ENTRYPOINT [ "/lambda-entrypoint.sh", "$ENTRYPOINT.$ENTRYPOINT_FUNC" ]   ',
    ].join("\n");

  test("its variables place the files, and exec form keeps its dollars", async () => {
    const image = await built(text(bases.lambda), {
      "/usr/src/app/handler.js": "h",
      "/target/dependency/a.jar": "a",
      "/target/dependency/b.jar": "b",
    });
    expect(image.layers.slice(2).map(listing)).toEqual([
      ["var/ 0755", "var/task/ 0755", "var/task/handler.js 0644"],
      [
        "var/ 0755",
        "var/task/ 0755",
        "var/task/lib/ 0755",
        "var/task/lib/a.jar 0644",
        "var/task/lib/b.jar 0644",
      ],
    ]);
    expect(image.config.config?.Entrypoint).toEqual([
      "/lambda-entrypoint.sh",
      "$ENTRYPOINT.$ENTRYPOINT_FUNC",
    ]);
  });

  test("of Docker's types gives one plain OCI manifest, all of one family", async () => {
    const { manifest } = await built(text(bases.lambda), {
      "/usr/src/app/x": "",
      "/target/dependency/a": "",
    });
    expect(manifest.mediaType).toBe(MediaType.ociManifest);
    expect(manifest.config.mediaType).toBe(MediaType.ociConfig);
    expect(new Set(manifest.layers.map(({ mediaType }) => mediaType))).toEqual(
      new Set([MediaType.ociLayerGzip]),
    );
  });
});

describe("S9 and S10: EXPOSE and ARG", () => {
  test("EXPOSE of a variable that nobody sets exposes nothing", async () => {
    const { config } = await built("FROM scratch\nEXPOSE $PORT\n");
    expect(config.config?.ExposedPorts).toBeUndefined();
  });

  test.each([
    ["FROM scratch\nENV PORT=8080\nEXPOSE $PORT\n", {}],
    ["FROM scratch\nARG PORT\nEXPOSE $PORT\n", { PORT: "8080" }],
  ])("EXPOSE of one that is set exposes it: %j", async (text, buildArgs) => {
    const { config } = await built(text, {}, { buildArgs });
    expect(config.config?.ExposedPorts).toEqual({ "8080/tcp": {} });
  });

  test("RUN is refused with its line, its text and what to do", async () => {
    const text = "FROM scratch\nCOPY a /\nRUN npm install --production\n";
    await expect(built(text, { "/a": "" })).rejects.toMatchObject({
      code: "DOCKERFILE_UNSUPPORTED",
      location: { line: 3, text: "RUN npm install --production" },
      hint: expect.stringContaining("node_modules"),
    });
  });

  test("a build argument chooses the base, and one that is not used is a warning", async () => {
    const image = await built(
      `ARG BASE=none\nFROM $BASE\n`,
      {},
      { buildArgs: { BASE: bases.plain, OTHER: "x" } },
    );
    expect(image.layers).toHaveLength(1);
    expect(image.warnings.some(({ message }) => message.includes("OTHER"))).toBe(true);
  });
});

describe("S15: platforms", () => {
  test("arm64 takes the base's arm64 entry and records it", async () => {
    const { config, layers } = await built(`FROM ${bases.merged}\n`, {}, { platforms: ["linux/arm64"] });
    expect([config.os, config.architecture]).toEqual(["linux", "arm64"]);
    expect(layers[0]?.find(({ path }) => path === "etc/machine")?.text).toBe("aarch64\n");
  });

  test("one that the base does not have is an error that lists those it has", async () => {
    await expect(built(`FROM ${bases.merged}\n`, {}, { platforms: ["linux/s390x"] })).rejects.toMatchObject({
      code: "PLATFORM_UNKNOWN",
      message: expect.stringContaining("linux/amd64, linux/arm64"),
    });
  });
});

describe("S17: the gate for executables", () => {
  const text = 'FROM scratch\nCOPY program /app/program\nENTRYPOINT ["/app/program"]\n';
  const kinds = {
    static: {},
    "static-pie": { pie: true },
    dynamic: { interpreter: "/lib64/ld-linux-x86-64.so.2", needed: ["libc.so.6"], pie: true },
  } as const;
  const program = ({ kind }: { kind: keyof typeof kinds }): Record<string, MemoryFile> => ({
    "/program": { content: buildElf(kinds[kind]), mode: 0o755 },
  });

  test.each(["static", "static-pie"] as const)("a %s program passes", async (kind) => {
    const image = await built(text, program({ kind }));
    expect(last(image)).toEqual(["app/ 0755", "app/program 0755"]);
  });

  test("a dynamic program is refused before anything is fetched, by file, interpreter, libraries and hint", async () => {
    const before = bench.registry.requests.length;
    const dynamic = program({ kind: "dynamic" });
    await expect(built(text.replace("scratch", bases.plain), dynamic)).rejects.toMatchObject({
      code: "EXECUTABLE_DYNAMIC",
      message: expect.stringMatching(
        /\/app\/program.*interpreter \/lib64\/ld-linux-x86-64\.so\.2.*libc\.so\.6/,
      ),
      hint: expect.stringMatching(/-static.*CGO_ENABLED=0.*musl/s),
      location: { line: 2 },
    });
    expect(bench.registry.requests).toHaveLength(before);
  });

  test("a program for another machine is refused", async () => {
    await expect(
      built(text, program({ kind: "static" }), { platforms: ["linux/arm64"] }),
    ).rejects.toMatchObject({
      code: "EXECUTABLE_WRONG_MACHINE",
    });
  });

  test("any switches it off", async () => {
    const image = await built(text, program({ kind: "dynamic" }), { executables: "any", preflight: "off" });
    expect(last(image)).toContain("app/program 0755");
  });

  test("several faults are told together", async () => {
    const faulty = "FROM scratch\nCOPY program /app/program\nCOPY missing /x\nCOPY gone /y\n";
    await expect(built(faulty, program({ kind: "dynamic" }))).rejects.toMatchObject({
      diagnostics: [
        expect.objectContaining({ code: "EXECUTABLE_DYNAMIC" }),
        expect.objectContaining({ message: expect.stringContaining('"/missing": not found') }),
        expect.objectContaining({ message: expect.stringContaining('"/gone": not found') }),
      ],
    });
  });

  test("those of the text and those of the files are told together, in the order of the text", async () => {
    const faulty = "FROM scratch\nCOPY missing /x\nEXPOSE x\nCOPY program /app/program\nRUN make\n";
    await expect(built(faulty, program({ kind: "dynamic" }))).rejects.toMatchObject({
      code: "COPY_SOURCE_MISSING",
      location: { line: 2 },
      diagnostics: [
        { code: "COPY_SOURCE_MISSING", location: { line: 2 } },
        { code: "DOCKERFILE_INVALID", location: { line: 3 } },
        { code: "EXECUTABLE_DYNAMIC", location: { line: 4 } },
        { code: "DOCKERFILE_UNSUPPORTED", location: { line: 5 } },
      ],
    });
  });

  test.each([
    ["a value that FROM uses", "ARG TAG=${V:?no version}\nFROM alpine:$TAG\n", 1],
    ["one that rests on it", "ARG V=${x:y}\nARG TAG=a$V\nFROM $TAG\n", 1],
    ["a value that a stage takes in", "ARG V=${x:y}\nFROM scratch\nARG V\nEXPOSE $V\nCOPY none-$V /x\n", 1],
    ["a platform", "FROM --platform=linux/arm64/bad/bad scratch\nCOPY program /x\n", 1],
  ])("what rests on %s is not at fault as well", async (_, text, line) => {
    const files = program({ kind: "dynamic" });
    const failure: unknown = await built(text, files).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "DOCKERFILE_INVALID", location: { line } });
    expect(failure).toHaveProperty("diagnostics.length", 1);
  });

  test("with a target that is not there, the faults of another stage are not told", async () => {
    const text = "FROM scratch AS build\nCOPY program /x\nFROM scratch AS dev\nRUN make\nCOPY none /y\n";
    const failure: unknown = await built(text, program({ kind: "static" }), { target: "biuld" }).catch(
      (error: unknown) => error,
    );
    expect(failure).toHaveProperty("diagnostics", [
      expect.objectContaining({ message: expect.stringContaining("did you mean build?") }),
    ]);
  });

  test.each([
    ["ARG name=${x", "COPY none-$name /x"],
    ["ENV name=a other=${x", "COPY none-$name /x"],
    ["WORKDIR ${x", "COPY program .wh.x"],
  ])("after %s, what rests on it is not at fault as well", async (faulty, copy) => {
    const files = program({ kind: "static" });
    const failure: unknown = await built(`FROM scratch\n${faulty}\n${copy}\n`, files).catch(
      (e: unknown) => e,
    );
    expect(failure).toMatchObject({ code: "DOCKERFILE_INVALID", location: { line: 2 } });
    expect(failure).toHaveProperty("diagnostics.length", 1);
  });
});

describe("S18: destinations resolve through the base", () => {
  const copied = async (
    base: string,
    line: string,
    files: Record<string, MemoryFile> = { "/f": "f" },
  ): Promise<string[]> => last(await built(`FROM ${base}\n${line}\n`, files));

  let linked: string;
  beforeAll(async () => {
    linked = await bench.publish(
      "linked",
      await makeImage({
        layers: [
          [
            directory("a"),
            directory("real", 0o1777),
            link("one", "two"),
            link("two", "/three"),
            link("three", "real"),
            link("dangling", "/not/yet"),
            link("loop", "loop"),
            link("gone", "a"),
            link("above", "../../../a"),
            file("plain", "x"),
          ],
          [file(".wh.gone", ""), directory("real"), link("second", "/real")],
        ],
      }),
    );
  });

  test.each([
    ["merged", "COPY f /bin/x", ["usr/ 0755", "usr/bin/ 0755", "usr/bin/x 0644"]],
    ["plain", "COPY f /bin/x", ["bin/ 0755", "bin/x 0644"]],
    ["merged", "COPY f /sbin/", ["usr/ 0755", "usr/sbin/ 0755", "usr/sbin/f 0644"]],
    [
      "merged",
      "COPY f /lib64/deep/er/x",
      [
        "usr/ 0755",
        "usr/lib64/ 0755",
        "usr/lib64/deep/ 0755",
        "usr/lib64/deep/er/ 0755",
        "usr/lib64/deep/er/x 0644",
      ],
    ],
    ["merged", "WORKDIR /bin/new", ["usr/ 0755", "usr/bin/ 0755", "usr/bin/new/ 0755"]],
    ["merged", "COPY f /tmp/x", ["tmp/ 1777", "tmp/x 0644"]],
  ] as const)("on the %s base, %s", async (base, line, expected) => {
    expect(await copied(bases[base], line)).toEqual(expected);
  });

  test.each([
    ["a chain of links", "COPY f /one/x", ["real/ 0755", "real/x 0644"]],
    ["a link of a higher layer", "COPY f /second/x", ["real/ 0755", "real/x 0644"]],
    ["a link above the root", "COPY f /above/x", ["a/ 0755", "a/x 0644"]],
    ["a dangling link", "COPY f /dangling/x", ["not/ 0755", "not/yet/ 0755", "not/yet/x 0644"]],
    ["a link that a layer took away", "COPY f /gone/x", ["gone/ 0755", "gone/x 0644"]],
  ])("%s", async (_, line, expected) => {
    expect(await copied(linked, line)).toEqual(expected);
  });

  test("a link made by an earlier COPY", async () => {
    const files = { "/links/to": { kind: "symlink", linkTarget: "/real" }, "/f": "f" } as const;
    expect(await copied(linked, "COPY links/ /srv/\nCOPY f /srv/to/x", files)).toEqual([
      "real/ 0755",
      "real/x 0644",
    ]);
  });

  test("a loop is an error with its line", async () => {
    await expect(copied(linked, "COPY f /loop/x")).rejects.toMatchObject({
      code: "SYMLINK_LOOP",
      location: { line: 2 },
    });
  });

  test("a copied tree that meets a link is an error that names it, never a broken image", async () => {
    await expect(copied(bases.merged, "COPY rootfs /", { "/rootfs/bin/tool": "t" })).rejects.toMatchObject({
      code: "COPY_CONFLICT",
      message: expect.stringMatching(/cannot copy to non-directory.*\/bin.*usr\/bin/s),
      location: { line: 2 },
    });
  });
});

describe("S16: a static server and its templates", () => {
  const text =
    'FROM scratch\nWORKDIR /home/app\nCOPY --chmod=755 my-executable ./\nCOPY templates/ ./templates/\nEXPOSE 8082\nENTRYPOINT ["./my-executable"]\n';

  test.each(["scratch", "merged"] as const)(
    "on %s: the program is 0755 whatever it was, the working directory is the root of the app",
    async (base) => {
      const image = await built(text.replace("scratch", base === "scratch" ? "scratch" : bases.merged), {
        "/my-executable": { content: buildElf({}), mode: 0o600 },
        "/templates/index.html": "<h1>",
      });
      expect(image.layers.slice(-2).map(listing)).toEqual([
        ["home/ 0755", "home/app/ 0755", "home/app/my-executable 0755"],
        ["home/ 0755", "home/app/ 0755", "home/app/templates/ 0755", "home/app/templates/index.html 0644"],
      ]);
      expect(image.config.config).toMatchObject({
        WorkingDir: "/home/app",
        Entrypoint: ["./my-executable"],
        ExposedPorts: { "8082/tcp": {} },
      });
      expect(image.warnings).toEqual([]);
    },
  );
});

test.skipIf(lacks("skopeo"))("skopeo copies what the embedded registry has", async () => {
  // Not synchronously: the registry answers from this process.
  const skopeo = promisify(execFile);
  const image = await built("FROM scratch\nCOPY f /f\n", { "/f": "f" });
  const from = `docker://${bench.registry.host}/built:latest`;
  await skopeo("skopeo", ["copy", "--src-tls-verify=false", from, `oci:${place}/copy:x`]);
  const { stdout } = await skopeo("skopeo", ["inspect", `oci:${place}/copy:x`]);
  expect(JSON.parse(stdout)).toMatchObject({ Digest: image.root.digest });
});
