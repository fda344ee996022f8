import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildImage, type BuildOptions } from "@undocked/core";
import { mergedUsrBase, plainBase } from "../support/bases.ts";
import { startBench, type Bench } from "../support/build-and-read.ts";
import { listing } from "../support/read-image.ts";

// The event and the Dockerfile of the first seed, letter for letter.
const dockerfile = `FROM public.ecr.aws/amazonlinux/amazonlinux:latest

# Copy files
COPY /application /var/task/
COPY /includes /var/lib/
COPY /license.json /bin/abc/config/license.json

# Set the working directory
WORKDIR /var/task

# Run the specified command within the container.
ENTRYPOINT $ENTRYPOINT
`;
const files = [
  { from: "/src", to: "/application" },
  { from: "/config/additionalFilesDir", to: "/includes" },
  { from: "/config/license.json", to: "/license.json" },
];

let bench: Bench;
let bases: { merged: string; plain: string };
let project: string;

beforeAll(async () => {
  bench = await startBench();
  bases = {
    merged: await bench.publish("amazonlinux/amazonlinux", await mergedUsrBase()),
    plain: await bench.publish("alpine", await plainBase()),
  };
  project = mkdtempSync(join(tmpdir(), "undocked-seed-"));
  const write = (path: string, text: string, mode: number): void => {
    mkdirSync(join(project, path, ".."), { recursive: true });
    writeFileSync(join(project, path), text);
    chmodSync(join(project, path), mode);
  };
  write("src/handler.js", "exports.handler = () => {};\n", 0o644);
  write("src/sub/b.js", "b\n", 0o755);
  symlinkSync("handler.js", join(project, "src/link.js"));
  write("config/CustomDockerFile", dockerfile, 0o644);
  write("config/additionalFilesDir/inc.so", "not a library\n", 0o644);
  write("config/license.json", "{}\n", 0o600);
});

afterAll(async () => {
  rmSync(project, { recursive: true, force: true });
  await bench[Symbol.asyncDispose]();
});

const event = (options: BuildOptions = {}, base = bases.merged): BuildOptions => ({
  project,
  dockerfile: "/config/CustomDockerFile",
  entrypoint: "/bin/abc -d",
  files,
  namedContexts: { "public.ecr.aws/amazonlinux/amazonlinux:latest": `docker-image://${base}` },
  ...options,
});

describe("S1: the first seed exactly as given", () => {
  test("has the base's layers and three of its own, resolved through the base's links", async () => {
    const image = await bench.build(event());
    expect(image.layers).toHaveLength(1 + 3);
    const [, first, second, third] = image.layers.map(listing);
    expect(first).toEqual([
      "var/ 0755",
      "var/task/ 0755",
      "var/task/handler.js 0644",
      "var/task/link.js -> handler.js",
      "var/task/sub/ 0755",
      "var/task/sub/b.js 0755",
    ]);
    expect(second).toEqual(["var/ 0755", "var/lib/ 0755", "var/lib/inc.so 0644"]);
    expect(third).toEqual([
      "usr/ 0755",
      "usr/bin/ 0755",
      "usr/bin/abc/ 0755",
      "usr/bin/abc/config/ 0755",
      "usr/bin/abc/config/license.json 0600",
    ]);
    expect(
      image.layers
        .slice(1)
        .flat()
        .filter(({ uid, gid }) => uid !== 0 || gid !== 0),
    ).toEqual([]);
  });

  test("has the configuration and the history that it asks for", async () => {
    const { config } = await bench.build(event());
    expect(config.config).toEqual({
      Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "ENTRYPOINT=/bin/abc -d"],
      Entrypoint: ["/bin/sh", "-c", "$ENTRYPOINT"],
      WorkingDir: "/var/task",
    });
    expect(config.rootfs.diff_ids).toHaveLength(1 + 3);
    expect(config.history?.map(({ created_by, empty_layer }) => [created_by, empty_layer ?? false])).toEqual([
      ["COPY /rootfs/ / # buildkit", false],
      ['CMD ["/bin/bash"]', true],
      ["COPY /application /var/task/ # buildkit", false],
      ["COPY /includes /var/lib/ # buildkit", false],
      ["COPY /license.json /bin/abc/config/license.json # buildkit", false],
      ["WORKDIR /var/task", true],
      ['ENTRYPOINT ["/bin/sh" "-c" "$ENTRYPOINT"]', true],
    ]);
  });

  test("is told that its entrypoint is a directory", async () => {
    const { warnings } = await bench.build(event());
    expect(warnings.map(({ code }) => code)).toContain("ENTRYPOINT_IS_DIRECTORY");
    expect(warnings.find(({ code }) => code === "ENTRYPOINT_IS_DIRECTORY")?.message).toContain(
      "/bin/abc is a directory",
    );
  });

  test.each([["src"], ["/src"], ["./src"], ["src/"]])("from %s is the same image", async (from) => {
    const reference = await bench.build(event());
    for (const to of ["application", "/application", "/application/", "./application"]) {
      const image = await bench.build(event({ files: [{ from, to }, ...files.slice(1)] }));
      expect(image.root.digest).toBe(reference.root.digest);
    }
  });

  test("on a base with a real /bin keeps to bin", async () => {
    const image = await bench.build(event({}, bases.plain));
    expect(listing(image.layers.at(-1) ?? [])).toEqual([
      "bin/ 0755",
      "bin/abc/ 0755",
      "bin/abc/config/ 0755",
      "bin/abc/config/license.json 0600",
    ]);
  });
});

describe("S2: entrypoint", () => {
  test("as override replaces the image's own and clears Cmd", async () => {
    const entrypoint = { override: "/bin/abc -d 'two words'" };
    await expect(bench.build(event({ entrypoint }))).rejects.toMatchObject({
      code: "ENTRYPOINT_IS_DIRECTORY",
    });
    const { config } = await bench.build(event({ entrypoint, preflight: "warn" }));
    expect(config.config?.Entrypoint).toEqual(["/bin/abc", "-d", "two words"]);
    expect(config.config?.Cmd).toBeUndefined();
    expect(config.config?.Env).toEqual(["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);
  });

  test("as a list is taken as it is", async () => {
    const { config } = await bench.build(event({ entrypoint: { override: ["/bin/sh", "-c", "exit 0"] } }));
    expect(config.config?.Entrypoint).toEqual(["/bin/sh", "-c", "exit 0"]);
  });

  test("that is missing for $ENTRYPOINT is a warning", async () => {
    const { entrypoint: _, ...options } = event();
    const { warnings } = await bench.build(options);
    expect(warnings.map(({ code }) => code)).toContain("ENTRYPOINT_UNSET");
  });
});

describe("S3: mappings and COPY", () => {
  test("a mapping that no COPY takes is not in the image, and a warning names it", async () => {
    const image = await bench.build(event({ files: [...files, { from: "/config", to: "/unused" }] }));
    expect(image.root.digest).toBe((await bench.build(event())).root.digest);
    const warning = image.warnings.find(({ code }) => code === "MAPPING_UNUSED");
    expect(warning?.message).toContain("/unused");
  });

  test("a COPY of something unmapped names its line and what is mapped", async () => {
    await expect(bench.build(event({ files: files.slice(1) }))).rejects.toMatchObject({
      message: expect.stringContaining('"/application": not found'),
      location: { line: 4 },
      hint: expect.stringContaining("includes, license.json"),
    });
  });
});

describe("S4 and S5: mappings that cannot be", () => {
  test("a from that is missing names the mapping and the path before any network", async () => {
    const before = bench.registry.requests.length;
    const broken = event({ files: [...files, { from: "/nowhere", to: "/x" }] });
    await expect(bench.build(broken)).rejects.toMatchObject({
      code: "MAPPING_NOT_FOUND",
      message: expect.stringMatching(/files\[3\].*\/nowhere/),
    });
    expect(bench.registry.requests).toHaveLength(before);
  });

  test("every faulty mapping, and the faults of Dockerfile and tags, are told at once", async () => {
    const building = buildImage({
      ...event({ files: [{ from: "/nowhere", to: "/a" }, ...files, { from: "../up", to: "/b" }] }),
      dockerfile: { text: "FROM scratch\nRUN make\n" },
      tags: ["Upper/Case"],
    });
    await expect(building).rejects.toMatchObject({
      diagnostics: [
        expect.objectContaining({ code: "REFERENCE_INVALID" }),
        expect.objectContaining({ code: "MAPPING_NOT_FOUND", message: expect.stringContaining("files[0]") }),
        expect.objectContaining({ code: "MAPPING_INVALID", message: expect.stringContaining("files[4]") }),
        expect.objectContaining({
          code: "DOCKERFILE_UNSUPPORTED",
          location: expect.objectContaining({ line: 2 }),
        }),
      ],
    });
  });

  test("an empty directory gives just the destination", async () => {
    mkdirSync(join(project, "empty"), { recursive: true });
    const image = await bench.build(
      event({ files: [{ from: "empty", to: "application" }, ...files.slice(1)] }),
    );
    expect(listing(image.layers[1] ?? [])).toEqual(["var/ 0755", "var/task/ 0755"]);
  });

  test("a mapping to the Dockerfile is an error", async () => {
    await expect(
      bench.build(event({ files: [...files, { from: "src", to: "Dockerfile" }] })),
    ).rejects.toMatchObject({
      code: "MAPPING_INVALID",
    });
  });

  test("of two files at one path the last mapping's is there, and directories merge", async () => {
    cpSync(join(project, "src"), join(project, "src2"), { recursive: true, verbatimSymlinks: true });
    writeFileSync(join(project, "src2/handler.js"), "second\n");
    writeFileSync(join(project, "src2/only.js"), "only\n");
    const image = await bench.build(event({ files: [...files, { from: "src2", to: "application" }] }));
    const texts = Object.fromEntries((image.layers[1] ?? []).map(({ path, text }) => [path, text]));
    expect(texts["var/task/handler.js"]).toBe("second\n");
    expect(texts["var/task/only.js"]).toBe("only\n");
    expect(texts["var/task/sub/b.js"]).toBe("b\n");
  });

  test("a mapping that leaves the project is an error", async () => {
    await expect(
      bench.build(event({ files: [{ from: "../etc", to: "application" }] })),
    ).rejects.toMatchObject({
      code: "MAPPING_INVALID",
    });
  });
});
