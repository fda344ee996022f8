import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  copyImage,
  digestOf,
  dockerArchive,
  MediaType,
  memoryStore,
  ociArchive,
  ociLayout,
  openDockerArchive,
  openOciArchive,
  parseImageConfig,
  parseManifestDocument,
  readAll,
  registryClient,
  type BlobSource,
  type Descriptor,
  type MemoryStore,
  type RegistryClient,
} from "@undocked/registry";
import { startRegistry, type RunningRegistry } from "@undocked/registry/server";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { privatePodman, type Podman } from "../support/podman.ts";
import { randomImage, validateImage } from "../support/random-image.ts";
import { lacks, lacksRoot } from "../support/tools.ts";

// Who reads what whom wrote: each tool, both ways, with the types of both families, by every way that it knows of them.

const run = promisify(execFile);

/** An image with where all of it can be read. */
interface Whole {
  readonly root: Descriptor;
  readonly source: BlobSource;
}

/** A place that an image is handed over at. */
interface Medium {
  readonly name: string;
  readonly types: "oci" | "docker";
  /** Writes what is named `v1` there. @returns how skopeo and podman name it */
  write(image: Whole): Promise<string>;
  /** How skopeo and podman name what they write there. */
  readonly theirs: () => string;
  read(): Promise<Whole & AsyncDisposable>;
}

let registry: RunningRegistry;
let client: RegistryClient;
let directory: string;
beforeAll(async () => {
  registry = await startRegistry();
  client = registryClient({ credentials: "anonymous" });
});
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await registry.close();
});
beforeEach(async () => {
  // podman makes a name of a layout's path, and names have no upper-case letters.
  directory = join(tmpdir(), `undocked-peers-${randomUUID()}`);
  await mkdir(directory);
});
afterEach(() => rm(directory, { recursive: true }));

const tags = ["v1"];
const forGood = { [Symbol.asyncDispose]: async () => undefined };

function registryMedium(types: "oci" | "docker"): Medium {
  return {
    name: `a registry, ${types} types`,
    types,
    async write({ root, source }) {
      await copyImage(root, source, client.repository(`${registry.host}/ours/${types}`), { tags });
      return `docker://${registry.host}/ours/${types}:v1`;
    },
    theirs: () => `docker://${registry.host}/theirs/${types}:v1`,
    async read() {
      const source = client.repository(`${registry.host}/theirs/${types}`);
      return { root: await source.resolve("v1"), source, ...forGood };
    },
  };
}

const layoutMedium: Medium = {
  name: "a layout, oci types",
  types: "oci",
  async write({ root, source }) {
    await copyImage(root, source, ociLayout(join(directory, "ours")), { tags });
    return `oci:${directory}/ours:v1`;
  },
  theirs: () => `oci:${directory}/theirs:v1`,
  async read() {
    const source = ociLayout(join(directory, "theirs"));
    return { root: await source.resolve("v1"), source, ...forGood };
  },
};

const ociArchiveMedium: Medium = {
  name: "an oci-archive, oci types",
  types: "oci",
  async write({ root, source }) {
    await using archive = await ociArchive(join(directory, "ours.tar"));
    await copyImage(root, source, archive, { tags });
    await archive.commit();
    return `oci-archive:${directory}/ours.tar:v1`;
  },
  theirs: () => `oci-archive:${directory}/theirs.tar:v1`,
  async read() {
    const source = await openOciArchive(join(directory, "theirs.tar"));
    return {
      root: await source.resolve("v1"),
      source,
      [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
    };
  },
};

const dockerArchiveMedium: Medium = {
  name: "a docker-archive, docker types",
  types: "docker",
  async write({ root, source }) {
    await using archive = await dockerArchive(join(directory, "ours.tar"));
    await copyImage(root, source, archive, { tags: ["registry.example/app:v1"] });
    await archive.commit();
    return `docker-archive:${directory}/ours.tar`;
  },
  theirs: () => `docker-archive:${directory}/theirs.tar:registry.example/app:v1`,
  async read() {
    const source = await openDockerArchive(join(directory, "theirs.tar"));
    const root = await source.resolve("registry.example/app:v1");
    return { root, source, [Symbol.asyncDispose]: () => source[Symbol.asyncDispose]() };
  },
};

const media: readonly Medium[] = [
  registryMedium("oci"),
  registryMedium("docker"),
  layoutMedium,
  ociArchiveMedium,
  dockerArchiveMedium,
];
const cells = media.map((medium) => [medium.name, medium] as const);

async function ours(types: "oci" | "docker"): Promise<Whole> {
  const source: MemoryStore = memoryStore();
  return { root: await randomImage(source, `peers/${types}`, { types, layers: 3 }), source };
}

/** What an image is, however it is packed. */
async function diffIds({ root, source }: Whole): Promise<readonly string[]> {
  const document = parseManifestDocument(await readAll(source.fetch(root)), root.mediaType);
  if (document.kind === "index") throw new Error("It is an index.");
  return parseImageConfig(await readAll(source.fetch(document.manifest.config))).rootfs.diff_ids;
}

const manifestTypes = { oci: MediaType.ociManifest, docker: MediaType.dockerManifest };

/** That it is whole, of the types that were asked for, and the same image. */
async function expectSame(read: Whole, types: "oci" | "docker", origin: Whole): Promise<void> {
  await validateImage(read.root, read.source);
  expect(read.root.mediaType).toBe(manifestTypes[types]);
  expect(await diffIds(read)).toEqual(await diffIds(origin));
}

/** Its own copy of what is to be handed over, as a layout of its own. */
async function origin(): Promise<{ readonly image: Whole; readonly name: string }> {
  const image = await ours("oci");
  await copyImage(image.root, image.source, ociLayout(join(directory, "origin")), { tags });
  return { image, name: `oci:${directory}/origin:v1` };
}

describe.skipIf(lacks("skopeo"))("skopeo", () => {
  const skopeo = async (...words: readonly string[]): Promise<string> => (await run("skopeo", words)).stdout;
  const plain = { from: "--src-tls-verify=false", to: "--dest-tls-verify=false", at: "--tls-verify=false" };

  test.each(cells)("reads what we wrote: %s", async (_, medium) => {
    const image = await ours(medium.types);
    const name = await medium.write(image);
    // A docker-archive has no manifest of its own; everything else is what we wrote, to the byte.
    if (medium !== dockerArchiveMedium) {
      expect(digestOf(await skopeo("inspect", "--raw", plain.at, name))).toBe(image.root.digest);
    }
    await skopeo("copy", plain.from, name, `oci:${directory}/read:v1`);
    const read = ociLayout(join(directory, "read"));
    await expectSame({ root: await read.resolve("v1"), source: read }, "oci", image);
  });

  test.each(cells)("writes what we read: %s", async (_, medium) => {
    const { image, name } = await origin();
    const format = medium.types === "oci" ? "oci" : "v2s2";
    await skopeo("copy", plain.to, `--format=${format}`, name, medium.theirs());
    await using read = await medium.read();
    await expectSame(read, medium.types, image);
  });
});

describe.skipIf(lacks("podman") || lacksRoot)("podman", () => {
  let podman: Podman;
  beforeAll(async () => {
    podman = await privatePodman();
  });
  afterAll(() => podman[Symbol.asyncDispose]());
  const pull = async (name: string): Promise<string> =>
    (await podman.command("pull", "--quiet", "--tls-verify=false", name)).trim();

  test.each(cells)("reads what we wrote: %s", async (_, medium) => {
    const image = await ours(medium.types);
    const id = await pull(await medium.write(image));
    const inspected = await podman.command("image", "inspect", "--format", "{{json .RootFS.Layers}}", id);
    expect(JSON.parse(inspected)).toEqual(await diffIds(image));
    const { config } = JSON.parse(Buffer.from(await readAll(image.source.fetch(image.root))).toString()) as {
      config: Descriptor;
    };
    // Of an image it says the configuration's digest.
    if (medium !== dockerArchiveMedium) expect(`sha256:${id}`).toBe(config.digest);
  });

  test.each(cells)("writes what we read: %s", async (_, medium) => {
    const { image, name } = await origin();
    const id = await pull(name);
    const format = medium.types === "oci" ? "oci" : "v2s2";
    await podman.command("push", "--quiet", "--tls-verify=false", `--format=${format}`, id, medium.theirs());
    await using read = await medium.read();
    await expectSame(read, medium.types, image);
  });

  test.each([
    ["oci-archive", openOciArchive],
    ["docker-archive", openDockerArchive],
  ] as const)("saves what we read, and loads what we wrote: %s", async (format, open) => {
    const { image, name } = await origin();
    const id = await pull(name);
    await podman.command("tag", id, "registry.example/app:v1");
    const path = join(directory, "saved.tar");
    await podman.command(
      "save",
      "--quiet",
      `--format=${format}`,
      "--output",
      path,
      "registry.example/app:v1",
    );
    await using source = await open(path);
    const [root] = await source.roots();
    await expectSame({ root: root!, source }, format === "oci-archive" ? "oci" : "docker", image);

    const again = await ours(format === "oci-archive" ? "oci" : "docker");
    await (format === "oci-archive" ? ociArchiveMedium : dockerArchiveMedium).write(again);
    expect(await podman.command("load", "--quiet", "--input", join(directory, "ours.tar"))).toMatch(
      /^Loaded image/,
    );
  });
});

describe.skipIf(lacks("umoci") || lacksRoot)("umoci", () => {
  const umoci = async (...words: readonly string[]): Promise<string> => (await run("umoci", words)).stdout;

  // umoci knows OCI's types alone, and layouts: what is of Docker's is converted on its way.
  test.each(["oci", "docker"] as const)("reads what we wrote: a layout, from %s types", async (types) => {
    const image = await ours(types);
    const layout = ociLayout(join(directory, "ours"));
    const root = await copyImage(image.root, image.source, layout, { tags, convert: "oci" });
    const { history } = JSON.parse(await umoci("stat", "--json", "--image", `${directory}/ours:v1`)) as {
      history: readonly { layer: { digest: string } | null }[];
    };
    const { document } = {
      document: parseManifestDocument(await readAll(layout.fetch(root)), root.mediaType),
    };
    const layers = document.kind === "manifest" ? document.manifest.layers : [];
    expect(history.flatMap(({ layer }) => (layer === null ? [] : [layer.digest]))).toEqual(
      layers.map(({ digest }) => digest),
    );
    await umoci("unpack", "--image", `${directory}/ours:v1`, join(directory, "bundle"));
    const { stdout } = await run("find", [join(directory, "bundle/rootfs"), "-type", "f", "-printf", "%P\n"]);
    expect(stdout.trim().split("\n").toSorted()).toEqual(["dir-0/file", "dir-1/file", "dir-2/file"]);
  });

  test.each(["oci", "docker"] as const)("writes what we read: a layout, to %s types", async (types) => {
    await umoci("init", "--layout", join(directory, "theirs"));
    await umoci("new", "--image", `${directory}/theirs:v1`);
    await mkdir(join(directory, "content"));
    await writeFile(join(directory, "content/file"), "content");
    await umoci("insert", "--image", `${directory}/theirs:v1`, join(directory, "content"), "/content");
    await umoci("config", "--image", `${directory}/theirs:v1`, "--config.cmd", "/content/file");
    const theirs = await layoutMedium.read();
    const repository = client.repository(`${registry.host}/umoci/${types}`);
    const root = await copyImage(theirs.root, theirs.source, repository, { tags, convert: types });
    await expectSame({ root, source: repository }, types, theirs);
  });
});
