import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildImage, memoryTree, type BuiltImage } from "@undocked/core";
import { ociLayout, type RegistryClient, registryClient } from "@undocked/registry";
import { startRegistry, type RunningRegistry } from "@undocked/registry/server";
import { mergedUsrBase } from "../support/bases.ts";
import { writeMade } from "../support/make-image.ts";
import { validateImage } from "../support/random-image.ts";
import { lacks, lacksRoot } from "../support/tools.ts";

// S19 and S20: from a base in a layout to every kind of output, with no registry at hand.
describe("outputs without a registry", () => {
  let place: string;
  let image: BuiltImage;
  const path = (name: string): string => join(place, name);
  const run = (...command: readonly [string, ...string[]]): string =>
    execFileSync(command[0], command.slice(1), { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

  beforeAll(async () => {
    place = mkdtempSync(join(tmpdir(), "undocked-outputs-"));
    await writeMade(await mergedUsrBase(), path("base"), "base");
    image = await buildImage({
      dockerfile: { text: 'FROM base\nCOPY f /bin/f\nCMD ["/bin/cat", "/bin/f"]\n' },
      context: memoryTree({ "/f": "hello from a layer\n" }),
      namedContexts: { base: `oci-layout://${path("base")}:base` },
      cache: false,
      tags: ["registry.example/team/app:1.0", "app"],
      outputs: [
        { type: "oci-layout", path: path("layout") },
        { type: "oci-archive", path: path("oci.tar") },
        { type: "docker-archive", path: path("docker.tar") },
      ],
    });
  });
  afterAll(async () => {
    await image[Symbol.asyncDispose]();
    rmSync(place, { recursive: true, force: true });
  });

  test("the layout has the image under its tag, and nothing else lies beside it", async () => {
    const layout = ociLayout(path("layout"));
    const root = await layout.resolve("1.0");
    expect(root.digest).toBe(image.digest);
    await validateImage(root, layout);
    expect(readdirSync(place).sort()).toEqual(["base", "docker.tar", "layout", "oci.tar"]);
  });

  test.skipIf(lacks("skopeo"))("skopeo reads the layout, the OCI archive and the docker archive", () => {
    const inspect = (reference: string): { Digest: string; Layers: string[] } =>
      JSON.parse(run("skopeo", "inspect", reference));
    expect(inspect(`oci:${path("layout")}:1.0`).Digest).toBe(image.digest);
    expect(inspect(`oci-archive:${path("oci.tar")}:1.0`).Digest).toBe(image.digest);
    run(
      "skopeo",
      "copy",
      `docker-archive:${path("docker.tar")}:registry.example/team/app:1.0`,
      `dir:${path("from-docker")}`,
    );
    expect(
      JSON.parse(
        run(
          "skopeo",
          "inspect",
          "--config",
          `docker-archive:${path("docker.tar")}:docker.io/library/app:latest`,
        ),
      ).rootfs,
    ).toEqual(image.config.rootfs);
    rmSync(path("from-docker"), { recursive: true });
  });

  test.skipIf(lacks("umoci") || lacksRoot)("umoci unpacks the layout", () => {
    run("umoci", "unpack", "--image", `${path("layout")}:1.0`, path("bundle"));
    expect(run("cat", join(path("bundle"), "rootfs/usr/bin/f"))).toBe("hello from a layer\n");
    rmSync(path("bundle"), { recursive: true });
  });

  test.skipIf(lacks("podman") || lacksRoot)("podman loads the docker archive", () => {
    const podman = (...args: readonly string[]): string =>
      run("podman", "--root", path("storage"), "--runroot", path("run"), "--storage-driver", "vfs", ...args);
    expect(podman("load", "--input", path("docker.tar"))).toContain("registry.example/team/app:1.0");
    expect(podman("image", "inspect", "--format", "{{.Config.Cmd}}", "registry.example/team/app:1.0")).toBe(
      "[/bin/cat /bin/f]\n",
    );
    podman("rmi", "--all", "--force");
    rmSync(path("storage"), { recursive: true, force: true });
    rmSync(path("run"), { recursive: true, force: true });
  });
});

describe("S12: the same image again", () => {
  let registry: RunningRegistry;
  let client: RegistryClient;
  let place: string;

  beforeAll(async () => {
    registry = await startRegistry();
    client = registryClient({ credentials: "anonymous" });
    place = mkdtempSync(join(tmpdir(), "undocked-again-"));
  });
  afterAll(async () => {
    await client[Symbol.asyncDispose]();
    await registry.close();
    rmSync(place, { recursive: true, force: true });
  });

  const build = (tag: string): Promise<BuiltImage> =>
    buildImage({
      dockerfile: { text: "FROM scratch\nCOPY f /f\n" },
      context: memoryTree({ "/f": "f" }),
      cache: join(place, "cache"),
      registry: client,
      tags: [`${registry.host}/again:${tag}`],
      push: true,
    });

  test("is one request to the registry", async () => {
    await using first = await build("1");
    const before = registry.requests.length;
    await using second = await build("1");
    expect(second.digest).toBe(first.digest);
    expect(registry.requests.slice(before).map(({ method, path }) => `${method} ${path}`)).toEqual([
      "HEAD /v2/again/manifests/1",
    ]);
  });

  test("under another tag sends the manifest alone", async () => {
    await using _first = await build("1");
    const before = registry.requests.length;
    await using _second = await build("2");
    const written = registry.requests.slice(before).filter(({ method }) => !["GET", "HEAD"].includes(method));
    expect(written.map(({ method, path }) => `${method} ${path}`)).toEqual(["PUT /v2/again/manifests/2"]);
  });
});
