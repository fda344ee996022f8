import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import {
  contentOf,
  copyImage,
  dockerArchive,
  encodeJson,
  memoryStore,
  MediaType,
  ociArchive,
  ociLayout,
  openDockerArchive,
  openOciArchive,
  readAll,
  type LocalStore,
} from "@undocked/registry";
import { readTar, writeTar } from "@undocked/registry/tar";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { indexOf, randomImage, randomIndex, validateImage } from "../support/random-image.ts";
import { lacks } from "../support/tools.ts";

const run = promisify(execFile);

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "undocked-archives-"));
  path = join(directory, "image.tar");
});
afterEach(() => rm(directory, { recursive: true }));

const sha256 = async (file: string): Promise<string> =>
  createHash("sha256")
    .update(await readFile(file))
    .digest("hex");

async function members(file: string): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for await (const { header, body } of readTar(contentOf(await readFile(file)))) {
    expect(header).toMatchObject({ uid: 0, gid: 0, mtime: 0 });
    found.set(header.path, await readAll(body));
  }
  return found;
}

const kinds = [
  ["oci-archive", ociArchive, openOciArchive],
  ["docker-archive", dockerArchive, openDockerArchive],
] as const;

describe.each(kinds)("%s", (_, write, read) => {
  const writeImage = async (file: string, concurrency: number): Promise<void> => {
    const store = memoryStore();
    const root = await randomImage(store, 1, { layers: 6 });
    await using sink = await write(file);
    await copyImage(root, store, sink, { tags: ["app:v1", "app:v2"], concurrency });
    await sink.commit();
  };

  test("has the same bytes whatever order the layers came in", async () => {
    await writeImage(path, 1);
    await writeImage(join(directory, "again.tar"), 6);
    expect(await sha256(path)).toBe(await sha256(join(directory, "again.tar")));
    expect((await readdir(directory)).sort()).toEqual(["again.tar", "image.tar"]);
  });

  test("leaves what was there, and nothing else, when it is not committed", async () => {
    await writeFile(path, "old");
    {
      const store = memoryStore();
      await using sink = await write(path);
      await copyImage(await randomImage(store, 1), store, sink, { tags: ["v1"] });
    }
    expect(await readdir(directory)).toEqual(["image.tar"]);
    expect(await readFile(path, "utf8")).toBe("old");
  });

  test("leaves nothing when its writing is aborted", async () => {
    const store = memoryStore();
    {
      await using sink = await write(path);
      await copyImage(await randomImage(store, 1), store, sink, { tags: ["v1"] });
      await expect(sink.commit({ signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
    }
    expect(await readdir(directory)).toEqual([]);
  });

  test("is read where it is gzipped as a whole", async () => {
    await writeImage(path, 4);
    await writeFile(`${path}.gz`, gzipSync(await readFile(path)));
    await using source = await read(`${path}.gz`);
    await validateImage(await source.resolve("app:v2"), source);
  });

  test("that is cut off is refused", async () => {
    await writeImage(path, 4);
    const whole = await readFile(path);
    await writeFile(path, whole.subarray(0, whole.byteLength / 2));
    await expect(read(path)).rejects.toMatchObject({
      code: expect.stringMatching(/TAR_INVALID|LAYOUT_INVALID/),
    });
  });

  test("that was changed is not given out", async () => {
    await writeImage(path, 4);
    const bytes = await readFile(path);
    // Within the first layer's content, whose file of 1000 random bytes is not compressed by gzip either.
    await using before = await read(path);
    const root = await before.resolve("app:v1");
    const [layer] = JSON.parse(Buffer.from(await readAll(before.fetch(root))).toString("utf8")).layers;
    const content = await readAll(before.fetch(layer));
    const at = bytes.indexOf(Buffer.from(content.subarray(0, 600))) + 590;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(path, bytes);
    await using after = await read(path);
    await expect(readAll(after.fetch(layer))).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  });

  test("that is no such archive is refused", async () => {
    await writeFile(path, await readAll(writeTar([])));
    await expect(read(path)).rejects.toMatchObject({ code: "LAYOUT_INVALID" });
    await writeFile(path, "x".repeat(2000));
    await expect(read(path)).rejects.toMatchObject({ code: "TAR_INVALID" });
  });
});

describe("an oci-archive", () => {
  test("is a layout: sorted, and no more than its roots reach", async () => {
    const store = memoryStore();
    const root = await randomIndex(store, 1);
    await using sink = await ociArchive(path);
    await copyImage(root, store, sink, { tags: ["v1"] });
    await sink.ingest("a/b", contentOf(encodeJson("named by nothing")));
    await sink.commit();
    const names = [...(await members(path)).keys()];
    expect(names).toEqual(names.toSorted());
    expect(names.filter((name) => !name.startsWith("blobs/sha256/"))).toEqual([
      "blobs",
      "blobs/sha256",
      "index.json",
      "oci-layout",
    ]);
    // Two images of two layers and a configuration each, two manifests, the index.
    expect(names.filter((name) => name.startsWith("blobs/sha256/"))).toHaveLength(9);
  });
});

describe("a docker-archive", () => {
  const save = async (
    store: LocalStore,
    root: Awaited<ReturnType<typeof randomImage>>,
    tags: readonly string[],
  ) => {
    await using sink = await dockerArchive(path);
    await copyImage(root, store, sink, { tags });
    await sink.commit();
  };

  test("names its files as docker save does", async () => {
    const store = memoryStore();
    const root = await randomImage(store, 1);
    await save(store, root, ["registry.example:5000/team/app:1.0", "docker.io/library/app:1.0", "app"]);
    const files = await members(path);
    const [image, ...others] = JSON.parse(Buffer.from(files.get("manifest.json")!).toString("utf8"));
    expect(others).toEqual([]);
    expect(image.RepoTags).toEqual(["registry.example:5000/team/app:1.0", "app:1.0", "app:latest"]);
    expect(image.Config).toMatch(/^[0-9a-f]{64}\.json$/);
    const { rootfs } = JSON.parse(Buffer.from(files.get(image.Config)!).toString("utf8"));
    expect(image.Layers).toEqual(rootfs.diff_ids.map((id: string) => `${id.slice(7)}/layer.tar`));
    for (const layer of image.Layers) {
      expect(`sha256:${createHash("sha256").update(files.get(layer)!).digest("hex")}`).toBe(
        `sha256:${layer.slice(0, 64)}`,
      );
    }
    const top = rootfs.diff_ids.at(-1).slice(7);
    expect(JSON.parse(Buffer.from(files.get("repositories")!).toString("utf8"))).toEqual({
      "registry.example:5000/team/app": { "1.0": top },
      app: { "1.0": top, latest: top },
    });
  });

  test("is asked by any spelling of a name", async () => {
    const store = memoryStore();
    const root = await randomImage(store, 1);
    await save(store, root, ["docker.io/library/app:latest"]);
    await using source = await openDockerArchive(path);
    const found = await source.resolve("app:latest");
    for (const name of ["app", "docker.io/library/app", "index.docker.io/library/app:latest", found.digest]) {
      expect(await source.resolve(name)).toEqual(found);
    }
    for (const name of ["app:v2", "registry.example/app", "Not A Name"]) {
      await expect(source.resolve(name)).rejects.toMatchObject({ code: "MANIFEST_UNKNOWN" });
    }
  });

  test("holds an image without layers", async () => {
    const store = memoryStore();
    await save(store, await randomImage(store, 1, { layers: 0 }), ["app:1"]);
    await using source = await openDockerArchive(path);
    await validateImage(await source.resolve("app:1"), source);
  });

  test("does not hold an index", async () => {
    const store = memoryStore();
    const root = await indexOf(store, [await randomImage(store, 1)]);
    await expect(save(store, root, ["app:1"])).rejects.toThrow("a docker-archive holds single images");
    expect(await readdir(directory)).toEqual([]);
  });

  test("refuses a layer that is not its DiffID", async () => {
    const store = memoryStore();
    const [one, two] = [
      await randomImage(store, 1, { layers: 1 }),
      await randomImage(store, 2, { layers: 1 }),
    ];
    const documents = await Promise.all(
      [one, two].map(async (root) =>
        JSON.parse(Buffer.from(await readAll(store.fetch(root))).toString("utf8")),
      ),
    );
    const mixed = encodeJson({ ...documents[0], layers: documents[1].layers });
    const root = await store.ingest(MediaType.ociManifest, contentOf(mixed));
    await expect(save(store, root, ["app:1"])).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
    expect(await readdir(directory)).toEqual([]);
  });

  test("is read with links between its layers and gzipped layers in it", async () => {
    const store = memoryStore();
    await save(store, await randomImage(store, 1, { layers: 2 }), ["app:1"]);
    const files = await members(path);
    const [image] = JSON.parse(Buffer.from(files.get("manifest.json")!).toString("utf8"));
    const [first, second] = image.Layers.map((name: string) => files.get(name)!);
    const zipped = gzipSync(second);
    const header = { mode: 0o644, uid: 0, gid: 0, mtime: 0 };
    const file = (name: string, body: Uint8Array) => ({
      header: { ...header, path: name, kind: "file" as const, size: body.byteLength },
      body,
    });
    const saved = [{ Config: "./config.json", RepoTags: ["app:1"], Layers: ["a/layer.tar", "b/layer.tar"] }];
    await writeFile(
      path,
      await readAll(
        writeTar([
          {
            header: {
              ...header,
              path: "a/layer.tar",
              kind: "symlink",
              size: 0,
              linkTarget: "../elsewhere/layer.tar",
            },
          },
          file("elsewhere/layer.tar", first),
          file("b/layer.tar", zipped),
          file("config.json", files.get(image.Config)!),
          file("manifest.json", encodeJson(saved)),
        ]),
      ),
    );
    await using source = await openDockerArchive(path);
    await validateImage(await source.resolve("app:1"), source);
  });

  test.each([
    ["a path out of the archive", { Config: "../../../../etc/passwd" }],
    ["a link that leads to itself", { Layers: ["loop"] }],
    ["too few layers", { Layers: [] }],
    ["no list of layers", { Layers: "x" }],
  ])("with %s is refused", async (_, change) => {
    const store = memoryStore();
    await save(store, await randomImage(store, 1, { layers: 1 }), ["app:1"]);
    const files = await members(path);
    const [image] = JSON.parse(Buffer.from(files.get("manifest.json")!).toString("utf8"));
    const header = { mode: 0o644, uid: 0, gid: 0, mtime: 0 };
    const loop = {
      header: { ...header, path: "loop", kind: "symlink" as const, size: 0, linkTarget: "loop" },
    };
    const bodies = [...files]
      .filter(([, body]) => body.byteLength > 0)
      .map(([name, body]) =>
        name === "manifest.json"
          ? ([name, encodeJson([{ ...image, ...change }])] as const)
          : ([name, body] as const),
      )
      .map(([name, body]) => ({
        header: { ...header, path: name, kind: "file" as const, size: body.byteLength },
        body,
      }));
    await writeFile(path, await readAll(writeTar([loop, ...bodies])));
    await expect(openDockerArchive(path)).rejects.toMatchObject({ code: "LAYOUT_INVALID" });
  });
});

test.skipIf(lacks("skopeo"))("a layout that skopeo wrote takes another image of ours", async () => {
  const layout = ociLayout(join(directory, "ours"));
  const root = await randomImage(layout, 1);
  await layout.tag(root, "v1");
  await run("skopeo", ["copy", `oci:${directory}/ours:v1`, `oci:${directory}/theirs:v2`]);
  const theirs = ociLayout(join(directory, "theirs"));
  await theirs.tag(await randomImage(theirs, 2), "v3");
  for (const tag of ["v2", "v3"]) await validateImage(await theirs.resolve(tag), theirs);
  const { stdout } = await run("skopeo", ["inspect", "--raw", `oci:${directory}/theirs:v2`]);
  expect(`sha256:${createHash("sha256").update(stdout).digest("hex")}`).toBe(root.digest);
});
