import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildImage, checkImage, memoryTree, type BuildOptions, type MemoryFile } from "@undocked/core";
import { copyImage, memoryStore, ociLayout, type BlobSource, type ContainerConfig } from "@undocked/registry";
import type { TarEntry } from "@undocked/registry/tar";
import { directory, file, link, mergedUsrBase } from "../support/bases.ts";
import { startBench, type Bench } from "../support/build-and-read.ts";
import { mainIn } from "../support/main-in.ts";
import { makeImage, makeIndex } from "../support/make-image.ts";
import { buildElf, tinyPlatforms } from "../support/tiny-elf.ts";

let bench: Bench;
let place: string;
beforeAll(async () => {
  bench = await startBench();
  place = mkdtempSync(join(tmpdir(), "undocked-check-"));
});
afterAll(async () => {
  rmSync(place, { recursive: true, force: true });
  await bench[Symbol.asyncDispose]();
});

const amd64 = { os: "linux", architecture: "amd64" } as const;
const arm64 = { os: "linux", architecture: "arm64", variant: "v8" } as const;
const app = (platform: keyof typeof tinyPlatforms = "linux/amd64"): TarEntry =>
  file("app", buildElf({ platform: tinyPlatforms[platform] }), 0o755);

const undocked = (...argv: readonly string[]) => mainIn(place, argv);

/** What is found out about an image of entries and a configuration. */
async function found(config: ContainerConfig, ...layers: readonly (readonly TarEntry[])[]) {
  const image = await makeImage({ layers, config });
  const [checked] = await checkImage(image.root, image.store);
  return checked?.proof;
}

const codes = (proof: Awaited<ReturnType<typeof found>>): string[] =>
  (proof?.findings ?? []).map(({ code, severity }) => `${severity} ${code}`);

describe("checkImage", () => {
  test("an image that starts has every file of it in its proof", async () => {
    const proof = await found({ Entrypoint: ["/bin/run"], Cmd: ["-d"] }, [
      file("bin/run", "#!/app\n", 0o755),
      app(),
    ]);
    expect(proof).toMatchObject({
      ok: true,
      argv: ["/bin/run", "-d"],
      user: { uid: 0, gid: 0 },
      workingDirectory: "/",
      findings: [],
    });
    expect(proof?.steps.map(({ kind, file }) => [kind, file])).toEqual([
      ["script", "/bin/run"],
      ["interpreter", "/app"],
    ]);
  });

  test.each<[argv: readonly string[], hint: string]>([
    [["./app -d"], 'Write its words apart: ["./app","-d"].'],
    [["run -d 1"], 'Write its words apart: ["run","-d","1"].'],
    [["app"], "Write ./app, which is in the working directory."],
    [["/app"], "Name /srv/app, which is there."],
    [["/usr/bin/other"], "Copy the program to that path, or name the path that it has in the image."],
    [["other"], "Copy other into a directory of PATH, use a base that has it, or name its path."],
  ])("of %j the hint says what was meant", async (Entrypoint, hint) => {
    const files = [file("srv/app", buildElf({}), 0o755), file("usr/bin/run", buildElf({}), 0o755)];
    const proof = await found({ Entrypoint: [...Entrypoint], WorkingDir: "/srv" }, files);
    expect(proof?.findings.map((finding) => finding.hint)).toEqual([hint]);
  });

  test.each<[name: string, config: ContainerConfig, words: RegExp]>([
    ["is certain", { Entrypoint: ["/bin/sh", "-c", "/none"] }, /^would fail: ENOENT/],
    [
      "hangs on what a shell makes of a text",
      { Entrypoint: ["/bin/sh", "-c", "/none && x"] },
      /^could fail: ENOENT/,
    ],
    [
      "hangs on a variable of the image",
      { Entrypoint: ["/bin/sh", "-c", "$RUN"], Env: ["RUN=none"] },
      /^could fail: exec "none"/,
    ],
    ["lies in a volume", { Entrypoint: ["/none/x"], Volumes: { "/none": {} } }, /^could fail: ENOENT/],
    [
      "makes a container unhealthy",
      { Entrypoint: ["/app"], Healthcheck: { Test: ["CMD", "/none"] } },
      /^would fail: ENOENT/,
    ],
    [
      "may make a container unhealthy",
      { Entrypoint: ["/app"], Healthcheck: { Test: ["CMD-SHELL", "/none && x"] } },
      /^could fail: ENOENT/,
    ],
  ])("a failure that %s is told as that", async (_, config, words) => {
    const proof = await found(config, [app(), file("bin/sh", buildElf({}), 0o755)]);
    expect(proof?.findings.map(({ message }) => message)).toEqual([expect.stringMatching(words)]);
  });

  test.each([
    [
      "a working directory that is a file",
      { WorkingDir: "/etc/x" },
      [file("etc/x", "")],
      "error WORKDIR_NOT_DIRECTORY",
    ],
    [
      "a working directory below a file",
      { WorkingDir: "/etc/x/y" },
      [file("etc/x", "")],
      "error WORKDIR_NOT_DIRECTORY",
    ],
    [
      "a working directory that is closed",
      { WorkingDir: "/srv", User: "7" },
      [directory("srv", 0o700)],
      "warning WORKDIR_UNREACHABLE",
    ],
    ["a volume over the program", { Volumes: { "/": {} } }, [], "warning ENTRYPOINT_IN_VOLUME"],
    [
      "a health check that is not there",
      { Healthcheck: { Test: ["CMD", "/bin/curl"] } },
      [],
      "warning ENTRYPOINT_NOT_FOUND",
    ],
    [
      "a health check for a shell that is not there",
      { Healthcheck: { Test: ["CMD-SHELL", "curl localhost"] } },
      [],
      "warning ENTRYPOINT_NOT_FOUND",
    ],
    [
      "a name in the working directory, by an empty element of PATH",
      { Entrypoint: ["app"], Env: ["PATH=/bin:"] },
      [],
      "warning ENTRYPOINT_NOT_FOUND",
    ],
    [
      "the same for env to find",
      { Entrypoint: ["/env", "app"], Env: ["PATH=/bin:"] },
      [file("env", buildElf({}), 0o755)],
      undefined,
    ],
    [
      "a working directory that is a link to nothing",
      { WorkingDir: "/srv" },
      [link("srv", "data/srv")],
      "warning WORKDIR_NOT_DIRECTORY",
    ],
    [
      "a text without #!, by env",
      { Entrypoint: ["/env", "/run"] },
      [file("env", buildElf({}), 0o755), file("run", "exit 0\n", 0o755)],
      "warning EXECUTABLE_SCRIPT_INVALID",
    ],
    [
      "gosu, by who is not root",
      { Entrypoint: ["/gosu", "7", "/app"], User: "8" },
      [file("gosu", buildElf({}), 0o755)],
      "warning USER_SWITCH_REFUSED",
    ],
    [
      "a way up from a working directory that the runtime makes",
      { Entrypoint: ["../../app"], WorkingDir: "/made/here" },
      [],
      undefined,
    ],
    [
      "a shell's options with values",
      { Entrypoint: ["/sh", "-euo", "pipefail", "-c"], Cmd: ["/app"] },
      [file("sh", buildElf({}), 0o755)],
      undefined,
    ],
    [
      "exec with a name of its own",
      { Entrypoint: ["/sh", "-c", "exec -a name /app"] },
      [file("sh", buildElf({}), 0o755)],
      undefined,
    ],
    [
      "a byte order mark before the first command of a script",
      { Entrypoint: ["/sh", "/run"] },
      [file("sh", buildElf({}), 0o755), file("run", "\uFEFF#!/sh\nexit 0\n")],
      "warning SCRIPT_NOT_TEXT",
    ],
    [
      "a script from standard input",
      { Entrypoint: ["/sh", "/dev/stdin"] },
      [file("sh", buildElf({}), 0o755)],
      undefined,
    ],
    [
      "a program that a mount hides",
      { Entrypoint: ["/dev/app"] },
      [file("dev/app", buildElf({}), 0o755)],
      "error ENTRYPOINT_NOT_FOUND",
    ],
    ["a program of the kernel's", { Entrypoint: ["/proc/self/exe"] }, [], "warning ENTRYPOINT_NOT_FOUND"],
    [
      "a program that a volume may bring",
      { Entrypoint: ["/data/app"], Volumes: { "/data": {} } },
      [],
      "warning ENTRYPOINT_NOT_FOUND",
    ],
    [
      "a script that a volume may bring",
      { Entrypoint: ["/node", "server.js"], WorkingDir: "/data", Volumes: { "/data": {} } },
      [file("node", buildElf({}), 0o755)],
      "warning SCRIPT_NOT_FOUND",
    ],
    ["a user by name without passwd", { User: "root" }, [], "error USER_UNKNOWN"],
  ] as const)("%s", async (_, config, entries, code) => {
    expect(codes(await found({ Entrypoint: ["/app"], ...config }, [app(), ...entries]))).toEqual(
      code === undefined ? [] : [code],
    );
  });

  test("a working directory that is not there is made by the runtime", async () => {
    expect(codes(await found({ Entrypoint: ["/app"], WorkingDir: "/a/b" }, [app()]))).toEqual([]);
  });

  test("groups of a user open what they may enter", async () => {
    const passwd = file("etc/passwd", "app:x:7:7::/:/app\n");
    const group = file("etc/group", "app:x:7:\nweb:x:9:app,other\n");
    const owned = { ...app(), header: { ...app().header, mode: 0o750, gid: 9 } };
    const config = { Entrypoint: ["/app"] };
    expect(codes(await found({ ...config, User: "app" }, [passwd, group, owned]))).toEqual([]);
    expect(codes(await found({ ...config, User: "7:7" }, [passwd, group, owned]))).toEqual([
      "error ENTRYPOINT_NOT_EXECUTABLE",
    ]);
  });

  test("a layer that makes a directory of a link takes the loader away", async () => {
    const interpreter = "/lib64/ld-linux-x86-64.so.2";
    const program = file("app", buildElf({ pie: true, interpreter }), 0o755);
    const base = [
      link("lib64", "usr/lib64"),
      file("usr/lib64/ld-linux-x86-64.so.2", buildElf({ soname: "ld-linux-x86-64.so.2" }), 0o755),
      program,
    ];
    const config = { Entrypoint: ["/app"] };
    expect(codes(await found(config, base))).toEqual([]);
    expect(codes(await found(config, base, [file("lib64/other", "")]))).toEqual([
      "error INTERPRETER_MISSING",
    ]);
    expect(codes(await found(config, base, [file("usr/lib64/.wh.ld-linux-x86-64.so.2", "")]))).toEqual([
      "error INTERPRETER_MISSING",
    ]);
  });

  test("a loader as the program is asked what it loads, from where", async () => {
    const entries = [
      file("opt/ld.so", buildElf({ soname: "ld-linux-x86-64.so.2" }), 0o755),
      file("opt/app", buildElf({ pie: true, interpreter: "/nowhere", needed: ["liba.so"] })),
      file("opt/lib/liba.so", buildElf({ soname: "liba.so" })),
      file("opt/other", buildElf({ platform: tinyPlatforms["linux/arm64"] }), 0o755),
      file("opt/object", buildElf({ type: "rel" }), 0o755),
      file("opt/static", buildElf({})),
    ];
    const start = (...argv: string[]) => found({ Entrypoint: argv }, entries);
    expect(codes(await start("/opt/ld.so", "--library-path", "/opt/lib", "/opt/app"))).toEqual([]);
    expect(codes(await start("/opt/ld.so", "--argv0", "x", "/opt/app"))).toEqual(["error LIBRARY_MISSING"]);
    expect(codes(await start("/opt/ld.so", "/opt/gone"))).toEqual(["error PROGRAM_MISSING"]);
    expect(codes(await start("/opt/ld.so", "/opt/other"))).toEqual(["error EXECUTABLE_WRONG_MACHINE"]);
    expect(codes(await start("/opt/ld.so", "/opt/object"))).toEqual(["error EXECUTABLE_NOT_PROGRAM"]);
    expect(codes(await start("/opt/ld.so", "/opt/static"))).toEqual(["error ENTRYPOINT_NOT_EXECUTABLE"]);
  });

  test("a library that a program notes it opens later is asked for", async () => {
    const need = [{ soname: ["liba.so", "libb.so"], priority: "required", feature: "zip" }];
    const note = { owner: "FDO", type: 0x407c0c0a, content: Buffer.from(`${JSON.stringify(need)}\0`) };
    const interpreter = "/lib64/ld-linux-x86-64.so.2";
    const entries = [
      file("lib64/ld-linux-x86-64.so.2", buildElf({ soname: "ld-linux-x86-64.so.2" }), 0o755),
      file("app", buildElf({ pie: true, interpreter, notes: [note] }), 0o755),
    ];
    const config = { Entrypoint: ["/app"] };
    const proof = await found(config, entries);
    expect(codes(proof)).toEqual(["warning LIBRARY_DLOPEN_MISSING"]);
    expect(proof?.findings[0]?.message).toContain("opens liba.so or libb.so for zip");
    const library = file("lib64/libb.so", buildElf({ soname: "libb.so" }));
    expect(codes(await found(config, [...entries, library]))).toEqual([]);
  });

  test("judges every platform of an index, and reads a layer that they share once", async () => {
    const store = memoryStore();
    const config = { Entrypoint: ["/app"] };
    const shared = [file("etc/os-release", "ID=test\n")];
    const good = await makeImage({ store, platform: amd64, config, layers: [shared, [app()]] });
    const bad = await makeImage({ store, platform: arm64, config, layers: [shared, [app()]] });
    const attestation = { ...good.root, platform: { os: "unknown", architecture: "unknown" } };
    const { root } = await makeIndex(store, [
      { ...good.root, platform: amd64 },
      { ...bad.root, platform: arm64 },
      attestation,
    ]);
    const fetched: string[] = [];
    const source: BlobSource = {
      fetch(target, options) {
        fetched.push(target.digest);
        return store.fetch(target, options);
      },
      exists: (target) => store.exists(target),
    };
    const checked = await checkImage(root, source);
    expect(checked.map(({ platform, proof }) => [platform.architecture, proof.ok])).toEqual([
      ["amd64", true],
      ["arm64", false],
    ]);
    expect(checked[1]?.proof.findings.map(({ code }) => code)).toEqual(["EXECUTABLE_WRONG_MACHINE"]);
    expect(new Set(fetched).size).toBe(fetched.length);
    const [one, ...others] = await checkImage(root, store, { platform: amd64 });
    expect([one?.platform.architecture, others]).toEqual(["amd64", []]);
  });
});

describe("undocked check", () => {
  const outputs = (name: string): NonNullable<BuildOptions["outputs"]> => [
    { type: "oci-layout", path: join(place, name), tag: "1" },
    { type: "oci-archive", path: join(place, `${name}.oci.tar`), tag: "1" },
    { type: "docker-archive", path: join(place, `${name}.docker.tar`), tag: "test/app:1" },
  ];
  const build = async (name: string, mode: number): Promise<void> => {
    const image = await buildImage({
      dockerfile: { text: 'FROM scratch\nCOPY app /\nENTRYPOINT ["/app"]\n' },
      context: memoryTree({ "/app": { content: buildElf({}), mode } }),
      preflight: "off",
      cache: false,
      outputs: outputs(name),
    });
    await using _ = image;
    await copyImage(image.root, image.store, bench.client.repository(`${bench.registry.host}/${name}`), {
      tags: ["1"],
    });
  };
  const forms = (name: string): string[] => [
    name,
    `${name}:1`,
    `${name}.oci.tar`,
    `${name}.docker.tar`,
    `${bench.registry.host}/${name}:1`,
  ];

  test("of a layout, an archive and a registry's reference gives 0 for what starts", async () => {
    await build("good", 0o755);
    for (const form of forms("good")) {
      const { code, stdout, stderr } = await undocked("check", form);
      expect([form, code, stderr]).toEqual([form, 0, ""]);
      expect(stdout).toMatch(/sha256:[0-9a-f]{64} linux\/amd64: starts\n$/);
    }
  });

  test("gives 1 for what does not, with code and hint", async () => {
    await build("bad", 0o644);
    for (const form of forms("bad")) {
      const { code, stdout, stderr } = await undocked("check", form);
      expect([form, code]).toEqual([form, 1]);
      expect(stdout).toContain("cannot start");
      expect(stderr).toMatch(/EACCES.*\[ENTRYPOINT_NOT_EXECUTABLE\]\n {2}hint: .*--chmod=755/);
    }
  });

  test("as JSON has the whole proof", async () => {
    const { stdout } = await undocked("check", "bad", "--json");
    expect(JSON.parse(stdout)).toMatchObject([
      {
        name: "bad",
        platform: amd64,
        proof: { ok: false, argv: ["/app"], findings: [{ chain: ['ENTRYPOINT ["/app"]', "/app"] }] },
      },
    ]);
  });

  test("of a file says whether it starts in an image of its own", async () => {
    writeFileSync(join(place, "static"), buildElf({}));
    writeFileSync(
      join(place, "dynamic"),
      buildElf({ pie: true, interpreter: "/lib64/ld-linux-x86-64.so.2" }),
    );
    expect(await undocked("check", "static")).toMatchObject({ code: 0, stderr: "" });
    expect(await undocked("check", "dynamic")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("INTERPRETER_MISSING"),
    });
    expect((await undocked("check", "static", "--platform", "linux/arm64")).code).toBe(1);
  });

  test("of an index in a layout judges every platform, or the one that is asked for", async () => {
    const store = memoryStore();
    const config = { Entrypoint: ["/app"] };
    const good = await makeImage({ store, platform: amd64, config, layers: [[app()]] });
    const bad = await makeImage({ store, platform: arm64, config, layers: [[app()]] });
    const { root } = await makeIndex(store, [
      { ...good.root, platform: amd64 },
      { ...bad.root, platform: arm64 },
    ]);
    await copyImage(root, store, ociLayout(join(place, "index")), { tags: ["1"] });
    const all = await undocked("check", "index");
    expect([all.code, all.stdout.split("\n").map((line) => line.replace(/^index \S+ /, ""))]).toEqual([
      1,
      ["linux/amd64: starts", "linux/arm64/v8: cannot start", ""],
    ]);
    expect((await undocked("check", "index:1", "--platform", "linux/amd64")).code).toBe(0);
    expect(await undocked("check", "index", "--platform", "linux/s390x")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/linux\/amd64.*linux\/arm64.*\[PLATFORM_UNKNOWN\]/),
    });
    expect((await undocked("check", "index", "--platform", "amiga")).stderr).toContain("PLATFORM_INVALID");
  });

  test("of nothing, and of what is not there, says so", async () => {
    expect((await undocked("check")).code).toBe(2);
    expect((await undocked("check", "good:2")).stderr).toContain("MANIFEST_UNKNOWN");
    expect((await undocked("check", `${bench.registry.host}/nothing:1`)).code).toBe(1);
    mkdirSync(join(place, "empty"));
    expect(await undocked("check", "empty")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/empty holds no image\..*\[LAYOUT_INVALID\]/),
    });
    expect(await undocked("check", "")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("REFERENCE_INVALID"),
    });
  });
});

describe("a build", () => {
  const build = (
    text: string,
    files: Readonly<Record<string, MemoryFile>> = {},
    options: BuildOptions = {},
  ) => bench.build({ dockerfile: { text }, context: memoryTree(files), ...options });
  const dynamic = { pie: true, interpreter: "/lib/ld.so.1", needed: ["libc.so.6"] } as const;
  const program = (elf: Parameters<typeof buildElf>[0] = {}): MemoryFile => ({
    content: buildElf(elf),
    mode: 0o755,
  });

  test("is refused with the place of the instruction", async () => {
    await expect(build('FROM scratch\nENV A=1\nENTRYPOINT ["/app"]\n')).rejects.toMatchObject({
      code: "ENTRYPOINT_NOT_FOUND",
      location: { line: 3 },
    });
  });

  test("with preflight: warn is not refused, and with off is not looked at", async () => {
    const text = 'FROM scratch\nENV A=1\nENTRYPOINT ["/app"]\n';
    const { warnings } = await build(text, {}, { preflight: "warn" });
    expect(warnings.map(({ code, severity }) => [code, severity])).toEqual([
      ["ENTRYPOINT_NOT_FOUND", "warning"],
    ]);
    expect((await build(text, {}, { preflight: "off" })).warnings).toEqual([]);
  });

  test("without a command is in order: it is there to be built upon", async () => {
    expect((await build("FROM scratch\nCOPY a /\n", { "/a": "" })).warnings).toEqual([]);
  });

  test("what the base has wrong is a warning, what the build makes wrong is refused", async () => {
    const base = (entries: readonly TarEntry[]) =>
      makeImage({ config: { Entrypoint: ["/app"] }, layers: [entries] });
    const broken = await bench.publish("broken", await base([file("app", "", 0o755)]));
    const { warnings } = await build(`FROM ${broken}\nCOPY a /\n`, { "/a": "" });
    expect(warnings.map(({ code }) => code)).toEqual(["EXECUTABLE_EMPTY"]);
    await expect(
      build(`FROM ${broken}\nCOPY a /\nENTRYPOINT ["/app","-d"]\n`, { "/a": "" }),
    ).rejects.toMatchObject({
      code: "EXECUTABLE_EMPTY",
    });
    const whole = await bench.publish("whole", await base([app()]));
    expect((await build(`FROM ${whole}\nCOPY a /\n`, { "/a": "" })).warnings).toEqual([]);
    await expect(build(`FROM ${whole}\nCOPY a /app\n`, { "/a": "" })).rejects.toMatchObject({
      code: "ENTRYPOINT_NOT_EXECUTABLE",
    });
  });

  test("self-contained takes a dynamic program whose libraries the base has, and no other", async () => {
    const layers = [
      [
        file("lib/ld.so.1", buildElf({ soname: "ld.so.1" }), 0o755),
        file(
          "lib/libc.so.6",
          buildElf({ soname: "libc.so.6", versionDefinitions: ["libc.so.6", "GLIBC_2.36"] }),
        ),
      ],
    ];
    const base = await bench.publish("libc", await makeImage({ layers }));
    const text = `FROM ${base}\nCOPY app /app\n`;
    const options = { executables: "self-contained" } as const;
    const needs = (version: string) => ({
      "/app": program({ ...dynamic, versionNeeds: [{ library: "libc.so.6", versions: [version] }] }),
    });
    expect((await build(text, needs("GLIBC_2.36"), options)).layers).toHaveLength(2);
    await expect(build(text, needs("GLIBC_2.38"), options)).rejects.toMatchObject({
      code: "LIBRARY_VERSION_MISSING",
      message: expect.stringMatching(/\/app.*GLIBC_2\.38.*GLIBC_2\.36 at most/),
    });
    await expect(build("FROM scratch\nCOPY app /app\n", needs("A"), options)).rejects.toMatchObject({
      code: "INTERPRETER_MISSING",
    });
    await expect(build(text, needs("GLIBC_2.36"))).rejects.toMatchObject({ code: "EXECUTABLE_DYNAMIC" });
    const started = await bench.publish(
      "started",
      await makeImage({
        config: { Entrypoint: ["/app"] },
        layers: [[file("app", buildElf(dynamic), 0o755)]],
      }),
    );
    const told = build(`FROM ${started}\nCOPY a /\n`, { "/a": "" }, { ...options, preflight: "off" });
    await expect(told).rejects.toMatchObject({ code: "INTERPRETER_MISSING" });
  });

  test("static holds for what comes from another image too", async () => {
    const other = await bench.publish(
      "other",
      await makeImage({ layers: [[file("bin/app", buildElf(dynamic), 0o755), app()]] }),
    );
    expect((await build(`FROM scratch\nCOPY --from=${other} /app /\n`)).layers).toHaveLength(1);
    await expect(build(`FROM scratch\nCOPY --from=${other} /bin/app /\n`)).rejects.toMatchObject({
      code: "EXECUTABLE_DYNAMIC",
    });
  });

  test("knows the programs of a base from its index, and downloads no layer once that is kept", async () => {
    const base = await bench.publish("amazon", await mergedUsrBase());
    const cache = join(place, "cache");
    const text = `FROM ${base}\nCOPY a /\nENTRYPOINT exec true\n`;
    await build(text, { "/a": "1" }, { cache });
    const blobs = (): number =>
      bench.registry.requests.filter(
        ({ method, path }) => method === "GET" && path.includes("/amazon/blobs/"),
      ).length;
    const before = blobs();
    await using image = await buildImage({
      dockerfile: { text },
      context: memoryTree({ "/a": "2" }),
      cache,
      registry: bench.client,
    });
    expect(blobs()).toBe(before);
    expect(image.proof?.steps.map(({ path }) => path)).toEqual(
      expect.arrayContaining(["/bin/sh", "exec true"]),
    );
  });
});
