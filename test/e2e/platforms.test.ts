import { execFile } from "node:child_process";
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  buildImage,
  checkBuild,
  checkImage,
  memoryTree,
  planBuild,
  type BuildEvent,
  type BuildOptions,
  type MemoryFile,
  type SourceTree,
} from "@undocked/core";
import {
  formatPlatform,
  ociLayout,
  openOciArchive,
  parseManifestDocument,
  readAll,
  registryClient,
} from "@undocked/registry";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { mergedUsrBase } from "../support/bases.ts";
import { startBench, type Bench } from "../support/build-and-read.ts";
import { buildCli, runCli } from "../support/cli.ts";
import { startDockerRegistry } from "../support/docker-registry.ts";
import { privatePodman } from "../support/podman.ts";
import { validateImage } from "../support/random-image.ts";
import { buildElf, tinyPlatforms } from "../support/tiny-elf.ts";
import { lacks, lacksRoot } from "../support/tools.ts";

/* One Dockerfile, several platforms: an image for each, and an index of them. */

const run = promisify(execFile);
const platforms = ["linux/arm64", "linux/amd64", "linux/arm/v7"] as const;
/** By path in the context. */
const programs = platforms.map((platform) => {
  const path = `/bin/${platform.slice("linux/".length).replace("/", "-")}`;
  return [path, buildElf({ platform: tinyPlatforms[platform] })] as const;
});
const files: Record<string, MemoryFile> = {
  "/data/common": "for all\n",
  ...Object.fromEntries(programs.map(([path, content]) => [path, { content, mode: 0o755 }])),
};
const text = (base: string): string =>
  [
    `FROM --platform=$BUILDPLATFORM ${base} AS tools`,
    "COPY data /out/",
    "FROM scratch",
    "ARG TARGETPLATFORM TARGETARCH TARGETVARIANT BUILDPLATFORM",
    "COPY --from=tools /out/common /app/",
    "COPY bin/$TARGETARCH${TARGETVARIANT:+-}$TARGETVARIANT /app/program",
    "LABEL target=$TARGETPLATFORM build=$BUILDPLATFORM",
    'ENTRYPOINT ["/app/program"]',
  ].join("\n");

let bench: Bench;
let base: string;
let place: string;

beforeAll(async () => {
  buildCli();
  bench = await startBench();
  base = await bench.publish("base", await mergedUsrBase());
});
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "undocked-platforms-"));
  return () => rmSync(place, { recursive: true, force: true });
});

const build = (options: BuildOptions = {}) =>
  buildImage({
    dockerfile: { text: text(base) },
    context: memoryTree(files),
    platforms,
    cache: join(place, "cache"),
    registry: bench.client,
    ...options,
  });

const requestsSince = (before: number): string[] =>
  bench.registry.requests.slice(before).map(({ method, path }) => `${method} ${path}`);

describe("an index", () => {
  test("has the images in the order that was asked for, each as if it were built alone", async () => {
    await using image = await build();
    expect(image.images.map(({ platform }) => formatPlatform(platform))).toEqual(platforms);
    expect(image.index).toEqual({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [
        { ...image.images[0]?.root, platform: { architecture: "arm64", os: "linux" } },
        { ...image.images[1]?.root, platform: { architecture: "amd64", os: "linux" } },
        { ...image.images[2]?.root, platform: { architecture: "arm", os: "linux", variant: "v7" } },
      ],
    });
    for (const [position, platform] of platforms.entries()) {
      await using alone = await build({ platforms: [platform], cache: false });
      expect(image.images[position]?.digest).toBe(alone.digest);
      expect(alone.config.config?.Labels).toEqual({ target: platform, build: "linux/amd64" });
      expect([alone.images.length, alone.index, alone.images[0]?.digest]).toEqual([
        1,
        undefined,
        alone.digest,
      ]);
    }
    expect(image.manifest).toEqual(image.images[0]?.manifest);
    await validateImage(image.root, image.store);
    for (const proof of await checkImage(image.root, image.store)) expect(proof.proof.ok).toBe(true);
  });

  test("of one platform that is named twice is no index", async () => {
    await using image = await build({ platforms: ["linux/arm64", "linux/arm64/v8", "linux/aarch64"] });
    expect([image.index, image.images.length]).toEqual([undefined, 1]);
  });

  test("is the same in its bytes whatever was in the cache and however often", async () => {
    await using first = await build();
    await using warm = await build();
    await using without = await build({ cache: false });
    expect([warm.digest, without.digest]).toEqual([first.digest, first.digest]);
  });

  test("is annotated, and so are its manifests", async () => {
    const annotations = { manifest: { b: "2", a: "1" }, index: { of: "all" } };
    await using image = await build({ annotations });
    expect(image.index?.annotations).toEqual({ of: "all" });
    expect(Object.keys(image.images[1]?.manifest.annotations ?? {})).toEqual(["a", "b"]);
    await expect(build({ platforms: ["linux/amd64"], annotations })).rejects.toMatchObject({
      code: "OPTIONS_INVALID",
    });
  });
});

describe("stages", () => {
  test("that are the same for all platforms are carried out once", async () => {
    const events: BuildEvent[] = [];
    await using _ = await build({ onEvent: (event) => events.push(event) });
    const steps = events.flatMap((event) => (event.kind === "step" ? [event] : []));
    expect(steps.filter(({ line }) => line === 2).map(({ platform }) => platform)).toEqual(["linux/amd64"]);
    const own = steps.filter(({ line }) => line === 5).map(({ platform }) => platform);
    expect([own.length, new Set(own)]).toEqual([3, new Set(platforms)]);
  });

  test("make the layer that all platforms have in common once", async () => {
    const tree = memoryTree(files);
    const read: string[] = [];
    const counting: SourceTree = {
      ...tree,
      open(path) {
        const content = tree.open(path);
        return {
          ...content,
          openFile() {
            read.push(path);
            const file = content.openFile?.();
            if (file === undefined) throw new Error(`${path} cannot be opened`);
            return file;
          },
        };
      },
    };
    await using image = await build({ context: counting, cache: false });
    const [common] = image.layers;
    expect(image.images.every(({ layers }) => layers[0]?.digest === common?.digest)).toBe(true);
    expect(read.filter((path) => path === "/data/common")).toHaveLength(1);
  });

  test("for the machine that builds may have that machine's programs", async () => {
    const dockerfile = {
      text: "FROM --platform=$BUILDPLATFORM scratch AS tools\nCOPY bin/amd64 /tool\nFROM scratch\nCOPY data /\n",
    };
    await using image = await build({ dockerfile, platforms: ["linux/arm64"] });
    expect(image.layers).toHaveLength(1);
    const wrong = { text: `${dockerfile.text}COPY --from=tools /tool /tool\n` };
    await expect(build({ dockerfile: wrong, platforms: ["linux/arm64"] })).rejects.toMatchObject({
      code: "EXECUTABLE_WRONG_MACHINE",
    });
  });
});

describe("a push", () => {
  const tags = (): string[] => [`${bench.registry.host}/multi:1`, `${bench.registry.host}/multi:2`];

  test("sends the children before the index, and again it is one request for a tag", async () => {
    const before = bench.registry.requests.length;
    await using image = await build({ tags: tags(), push: true });
    const puts = requestsSince(before).filter((request) => request.startsWith("PUT /v2/multi/manifests/"));
    const digests = image.images.map(({ digest }) => `PUT /v2/multi/manifests/${digest}`);
    expect(puts.slice(0, 3).sort()).toEqual(digests.sort());
    expect(puts.slice(3).some((put) => digests.includes(put))).toBe(false);
    expect(image.pushed.map(({ digest }) => digest)).toEqual([image.digest, image.digest]);
    const repository = bench.client.repository(`${bench.registry.host}/multi`);
    expect(await repository.resolve("1")).toMatchObject({ digest: image.digest });
    await validateImage(image.root, repository);
    const after = bench.registry.requests.length;
    await using _again = await build({ tags: [tags()[0] ?? ""], push: true });
    expect(requestsSince(after).filter((request) => !request.includes("/v2/base/"))).toEqual([
      "HEAD /v2/multi/manifests/1",
    ]);
  });

  test.each([
    ["a program is for another machine", "COPY bin/amd64 /app/program\n", "EXECUTABLE_WRONG_MACHINE"],
    ["a file is missing", "ARG TARGETARCH\nCOPY bin/only-$TARGETARCH /x\n", "COPY_SOURCE_MISSING"],
    ["its start is stopped", 'ARG TARGETARCH\nCOPY bin/amd64 /app/amd64\nENTRYPOINT ["/app/program"]\n', ""],
  ])("sends nothing if one platform is refused: %s", async (_, more, code) => {
    const before = bench.registry.requests.length;
    const context = memoryTree({ ...files, "/bin/only-amd64": "here" });
    const building = build({
      dockerfile: { text: `FROM scratch\n${more}` },
      context,
      platforms: ["linux/amd64", "linux/arm64"],
      tags: tags(),
      push: true,
    });
    await expect(building).rejects.toMatchObject({
      ...(code === "" ? {} : { code }),
      message: expect.stringMatching(/^linux\/arm64: /),
    });
    expect(requestsSince(before)).toEqual([]);
  });

  test("a fault of the start names the platforms that have it", async () => {
    const dockerfile = {
      text: 'FROM scratch\nARG TARGETARCH\nCOPY data /$TARGETARCH\nENTRYPOINT ["/amd64/common"]\n',
    };
    const options = { dockerfile, platforms: ["linux/amd64", "linux/arm64"] };
    const error: unknown = await build(options).catch((error: unknown) => error);
    expect(error).toMatchObject({
      diagnostics: [
        { code: "ENTRYPOINT_NOT_EXECUTABLE", message: expect.stringMatching(/^linux\/amd64: /) },
        { code: "ENTRYPOINT_NOT_FOUND", message: expect.stringMatching(/^linux\/arm64: /) },
      ],
    });
    await using warned = await build({ ...options, preflight: "warn" });
    expect(warned.warnings.map(({ code }) => code)).toEqual([
      "ENTRYPOINT_NOT_EXECUTABLE",
      "ENTRYPOINT_NOT_FOUND",
    ]);
  });

  test("a base that is not for a platform is told with the platform", async () => {
    const dockerfile = { text: `FROM ${base}\n` };
    await expect(build({ dockerfile, platforms: ["linux/amd64", "linux/s390x"] })).rejects.toMatchObject({
      code: "PLATFORM_UNKNOWN",
      message: expect.stringMatching(/^linux\/s390x: .*linux\/amd64, linux\/arm64/),
    });
  });
});

test("a fault of the text is told once, and a build check that all platforms have as well", async () => {
  const dockerfile = { text: "FROM scratch\nRUN a\n" };
  const error: unknown = await build({ dockerfile }).catch((error: unknown) => error);
  expect(error).toMatchObject({
    code: "DOCKERFILE_UNSUPPORTED",
    message: expect.not.stringMatching(/^linux/),
  });
  const found = checkBuild({
    dockerfile: { text: "from scratch\nCOPY a /\n" },
    context: memoryTree({}),
    platforms,
  });
  expect(found.map(({ message }) => message.startsWith("linux/"))).toEqual([false]);
});

test("a plan is made for each platform", async () => {
  const plan = await planBuild({
    dockerfile: { text: text(base) },
    context: memoryTree(files),
    platforms,
    cache: false,
    registry: bench.client,
  });
  expect(plan.plans.map(({ platform }) => formatPlatform(platform))).toEqual(platforms);
  expect(plan.platform).toEqual(plan.plans[0]?.platform);
  const steps = plan.plans[2]?.stages.at(-1)?.steps ?? [];
  expect(steps.some(({ createdBy }) => createdBy.includes("bin/arm-v7"))).toBe(true);
});

describe("outputs", () => {
  test("a layout and an OCI archive have the index under its tag, whole", async () => {
    const [layout, archive] = [join(place, "layout"), join(place, "oci.tar")];
    await using image = await build({
      tags: ["team/app:1"],
      outputs: [
        { type: "oci-layout", path: layout },
        { type: "oci-archive", path: archive },
      ],
    });
    const written = ociLayout(layout);
    expect(await written.resolve("1")).toMatchObject({ digest: image.digest });
    await validateImage(image.root, written);
    await using opened = await openOciArchive(archive);
    expect(await opened.resolve("1")).toMatchObject({ digest: image.digest });
    await validateImage(image.root, opened);
  });

  test("a docker-archive is refused before anything is fetched or written", async () => {
    const before = bench.registry.requests.length;
    const path = join(place, "docker.tar");
    await expect(build({ outputs: [{ type: "docker-archive", path }] })).rejects.toMatchObject({
      code: "OPTIONS_INVALID",
      message: expect.stringContaining("docker-archive"),
    });
    expect([requestsSince(before), existsSync(path)]).toEqual([[], false]);
  });
});

describe("the command", () => {
  beforeEach(() => {
    mkdirSync(join(place, "context/bin"), { recursive: true });
    mkdirSync(join(place, "context/data"));
    writeFileSync(join(place, "context/data/common"), "for all\n");
    for (const [path, program] of programs)
      writeFileSync(join(place, "context", path), program, { mode: 0o755 });
    writeFileSync(join(place, "context/Dockerfile"), text("scratch"));
  });
  const undocked = (...args: readonly string[]) =>
    runCli(["build", "context", "--no-cache", "-q", ...args], { cwd: place });

  test("writes buildx's keys for the index, and what is of each platform", async () => {
    const { code, stdout, stderr } = await undocked(
      "--platform=linux/amd64,linux/arm64",
      "--platform=linux/arm/v7",
      "--annotation=index:a=b",
      "--metadata-file=meta.json",
      "--iidfile=iid",
      "--tag=app:1",
      "--output=type=oci,dest=out,tar=false",
    );
    expect([code, stderr]).toEqual([0, ""]);
    const digest = stdout.trim().split("@")[1];
    const metadata = JSON.parse(readFileSync(join(place, "meta.json"), "utf8"));
    expect(metadata["containerimage.digest"]).toBe(digest);
    expect(metadata).not.toHaveProperty(["containerimage.config.digest"]);
    expect(metadata["containerimage.descriptor"].mediaType).toContain("image.index");
    expect(metadata["undocked.platforms"].map(({ platform }: { platform: string }) => platform)).toEqual([
      "linux/amd64",
      "linux/arm64",
      "linux/arm/v7",
    ]);
    expect(readFileSync(join(place, "iid"), "utf8")).toBe(digest);
    const layout = ociLayout(join(place, "out"));
    const root = await layout.resolve("1");
    const document = parseManifestDocument(await readAll(layout.fetch(root)), root.mediaType);
    expect(document.kind === "index" && document.index.annotations).toEqual({ a: "b" });
  });

  test("tells the plan of each platform, as text and as an array of JSON", async () => {
    const shown = await undocked("--plan", "--platform=linux/amd64,linux/arm64");
    expect(shown.stdout).toMatch(/^platform linux\/amd64\n[\s\S]*\nplatform linux\/arm64\n/);
    const json = await undocked("--plan=json", "--platform=linux/amd64,linux/arm64");
    expect(JSON.parse(json.stdout)).toMatchObject([
      { platform: { architecture: "amd64" } },
      { platform: { architecture: "arm64" } },
    ]);
  });

  test("refuses what is no platform as a wrong command line", async () => {
    expect((await undocked("--platform=linux/amd64,mars")).code).toBe(2);
  });
});

describe("real tools read", () => {
  const outcome = async (program: string, ...args: readonly string[]): Promise<string> =>
    (await run(program, args, { cwd: place, maxBuffer: 64 * 1024 * 1024 })).stdout;

  test.skipIf(lacks("docker-registry", "skopeo"))(
    "docker-registry takes the index, and skopeo copies it whole",
    async () => {
      await using registry = await startDockerRegistry();
      await using client = registryClient({ credentials: "anonymous" });
      const dockerfile = { text: text("scratch") };
      const push = { dockerfile, tags: [`${registry.host}/app:1`], push: true, registry: client };
      await using image = await build(push);
      const source = `docker://${registry.host}/app:1`;
      const raw = await outcome("skopeo", "inspect", "--raw", "--tls-verify=false", source);
      expect(JSON.parse(raw)).toEqual(image.index);
      await outcome("skopeo", "copy", "--all", "--src-tls-verify=false", source, "oci:copied:1");
      const copied = ociLayout(join(place, "copied"));
      expect(await copied.resolve("1")).toMatchObject({ digest: image.digest });
      await validateImage(image.root, copied);
      const arm = await outcome(
        "skopeo",
        "--override-arch=arm64",
        "inspect",
        "--config",
        "--tls-verify=false",
        source,
      );
      expect(JSON.parse(arm)).toMatchObject({ architecture: "arm64", os: "linux" });
    },
  );

  test.skipIf(lacks("umoci", "skopeo") || lacksRoot)(
    "umoci unpacks each platform's own program",
    async () => {
      await using image = await build({
        tags: ["app:1"],
        outputs: [{ type: "oci-layout", path: join(place, "layout") }],
      });
      expect(image.images).toHaveLength(3);
      for (const platform of ["linux/arm64", "linux/amd64"] as const) {
        const arch = platform.slice("linux/".length);
        const one = `one-${arch}`;
        await outcome("skopeo", `--override-arch=${arch}`, "copy", "oci:layout:1", `oci:${one}:1`);
        await outcome("umoci", "unpack", "--image", `${one}:1`, `bundle-${arch}`);
        const program = readFileSync(join(place, `bundle-${arch}/rootfs/app/program`));
        expect(program.equals(Buffer.from(buildElf({ platform: tinyPlatforms[platform] })))).toBe(true);
      }
    },
  );

  test.skipIf(lacks("podman", "runc") || lacksRoot)(
    "podman takes the platform that it is asked for",
    async () => {
      await using podman = await privatePodman();
      await using _ = await build({
        tags: ["app:1"],
        outputs: [{ type: "oci-archive", path: join(place, "oci.tar") }],
      });
      for (const arch of ["arm64", "amd64"]) {
        const id = await podman.command(
          "pull",
          "-q",
          `--arch=${arch}`,
          `oci-archive:${join(place, "oci.tar")}`,
        );
        const shown = await podman.command("image", "inspect", "--format", "{{.Architecture}}", id.trim());
        expect(shown.trim()).toBe(arch);
      }
    },
  );
});
