import {
  copyImage,
  MediaType,
  memoryStore,
  readAll,
  selectPlatform,
  type Descriptor,
} from "@undocked/registry";
import { expect } from "vitest";
import { at, refusal, times, withHeaders, type Front } from "../../support/front.ts";
import { indexOf, randomIndex, validateImage } from "../../support/random-image.ts";
import { checklist } from "./checklist.ts";
import { blobOf, documentOf, imageOf, pushed, randomBlob, type Blob } from "./content.ts";
import type { Site } from "./site.ts";

const blob = randomBlob("pull", 50_000);

checklist("pull", (scenario) => {
  scenario("accept header", async (site) => {
    const { path, root } = await pushedImage(site);
    site.front.clear();
    await site.repository(path).fetchManifest("v1");
    expect(site.front.requests.at(-1)?.headers.accept?.split(", ").toSorted()).toEqual(
      [
        MediaType.ociIndex,
        MediaType.ociManifest,
        MediaType.dockerManifest,
        MediaType.dockerManifestList,
      ].toSorted(),
    );
    expect(root.mediaType).toBe(MediaType.ociManifest);
  });

  scenario("digest given vs tag", async (site) => {
    const { path, root } = await pushedImage(site);
    const repository = site.repository(path);
    const [byTag, byDigest] = [await repository.resolve("v1"), await repository.resolve(root.digest)];
    expect([byTag, byDigest]).toEqual([root, root]);
    site.front.clear();
    await readAll(repository.fetch(byTag));
    // Once resolved, by digest alone: a tag may move in between.
    expect(paths(site.front)).toEqual([`/v2/${path}/manifests/${root.digest}`]);
  });

  scenario("wrong digest", async (site) => {
    const { path, root } = await pushedImage(site);
    site.front.on(
      at("GET", /\/(?:blobs|manifests)\//, async (_, pass) => {
        const reply = await pass();
        const body = Buffer.from(reply.body ?? "");
        body[body.byteLength - 2] = (body.at(-2) ?? 0) ^ 1;
        return { ...reply, body };
      }),
    );
    const repository = site.repository(path);
    await repository.push(blob.descriptor, blob.content);
    for (const target of [root, blob.descriptor]) {
      await expect(readAll(repository.fetch(target))).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
    }
    await expect(repository.fetchManifest(root.digest)).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  });

  scenario("512", async (site) => {
    const path = site.path();
    const sha512 = blobOf(blob.bytes, "sha512");
    const config = blobOf(Buffer.from("{}"), "sha512", MediaType.ociEmpty);
    const manifest = documentOf({
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      artifactType: "application/x.checklist",
      config: config.descriptor,
      layers: [sha512.descriptor],
    });
    const { descriptor } = blobOf(manifest.bytes, "sha512", MediaType.ociManifest);
    const contents = new Map(
      [sha512, config, { ...manifest, descriptor }].map((it) => [it.descriptor.digest, it]),
    );
    if (site.setup.server === "embedded") {
      for (const it of contents.values()) await site.repository(path).push(it.descriptor, it.content);
    } else {
      // docker-registry 2.8.2 does not have them; the front does.
      site.front.on(({ path: asked }) => {
        const found = [...contents].find(([digest]) => asked.endsWith(digest))?.[1];
        return found === undefined ? undefined : served(found);
      });
    }
    const to = memoryStore();
    await copyImage(descriptor, site.repository(path), to);
    expect(await readAll(to.fetch(sha512.descriptor))).toEqual(blob.bytes);
    const wrong = blobOf(Buffer.from("other"), "sha512").descriptor;
    site.front.on(at("GET", new RegExp(wrong.digest), served({ ...sha512, descriptor: wrong })));
    await expect(
      readAll(site.repository(path).fetch({ ...wrong, size: blob.bytes.byteLength })),
    ).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
  });

  scenario("HEAD without digest header", async (site) => {
    const { path, root } = await pushedImage(site);
    site.front.on(
      at("*", /\/manifests\//, async (_, pass) =>
        withHeaders(await pass(), { "docker-content-digest": undefined }),
      ),
    );
    expect(await site.repository(path).resolve("v1")).toEqual(root);
    expect(methods(site.front)).toEqual(["HEAD", "GET"]);
  });

  scenario("no HEAD: 405", async (site) => {
    await expectResolvedWithoutHead(site, 405);
  });

  scenario("no HEAD: disabled", async (site) => {
    await expectResolvedWithoutHead(site, 403);
  });

  scenario("size limit", async (site) => {
    const path = site.path();
    site.front.on(
      at("GET", /\/manifests\//, {
        status: 200,
        headers: { "content-type": MediaType.ociManifest },
        body: Buffer.alloc(4 * 1024 * 1024 + 1, " "),
      }),
    );
    await expect(site.repository(path).fetchManifest("v1")).rejects.toMatchObject({
      code: "MANIFEST_INVALID",
    });
  });

  scenario("read beyond size", async (site) => {
    await expectWrongSize(site, Buffer.concat([blob.bytes, Buffer.from("more")]));
  });

  scenario("short length", async (site) => {
    await expectWrongSize(site, blob.bytes.subarray(0, 40_000));
  });

  scenario("schema 1", async (site) => {
    const path = site.path();
    site.front.on(
      at("GET", /\/manifests\//, {
        status: 200,
        headers: { "content-type": "application/vnd.docker.distribution.manifest.v1+prettyjws" },
        body: JSON.stringify({ schemaVersion: 1, name: path, tag: "v1", fsLayers: [], history: [] }),
      }),
    );
    await expect(site.repository(path).fetchManifest("v1")).rejects.toMatchObject({
      code: "MANIFEST_INVALID",
      message: expect.stringContaining("schema version 1"),
    });
  });

  scenario("platform match", async (site) => {
    const path = site.path();
    const store = memoryStore();
    const root = await randomIndex(store, "platforms", ["amd64", "arm64"]);
    await copyImage(root, store, site.repository(path), { tags: ["v1"] });
    const { document } = await site.repository(path).fetchManifest("v1");
    if (document.kind !== "index") throw new Error("It is no index.");
    const arm = selectPlatform(document.index, { os: "linux", architecture: "arm64" });
    expect(arm.digest).toBe(document.index.manifests[1]?.digest);
    await validateImage(arm, site.repository(path));
    const { index } = document;
    expect(() => selectPlatform(index, { os: "linux", architecture: "s390x" })).toThrow(
      expect.objectContaining({ code: "PLATFORM_UNKNOWN" }),
    );
  });

  scenario("nested index", async (site) => {
    const path = site.path();
    const store = memoryStore();
    const inner = await randomIndex(store, "nested", ["amd64"]);
    const root = await indexOf(store, [await indexOf(store, [inner])]);
    await copyImage(root, store, site.repository(path), { tags: ["v1"] });
    const to = memoryStore();
    await copyImage(await site.repository(path).resolve("v1"), site.repository(path), to);
    await validateImage(root, to);
  });

  scenario("foreign layers skip", async (site) => {
    const { path, root, foreign, elsewhere } = await foreignImage(site);
    const to = memoryStore();
    await copyImage(root, site.repository(path), to);
    expect(await to.exists(foreign)).toBe(false);
    expect(await to.exists(root)).toBe(true);
    expect(elsewhere.requests).toEqual([]);
  });

  scenario("foreign layers fetch", async (site) => {
    const { path, root, foreign, elsewhere } = await foreignImage(site);
    const to = memoryStore();
    const repository = site.repository(path, site.client({ foreignLayers: "fetch" }));
    await copyImage(root, repository, to, { foreignLayers: "copy" });
    expect(await readAll(to.fetch(foreign))).toEqual(blob.bytes);
    expect(elsewhere.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
    // Nor does anybody in particular ask where it wants to know who that is (CVE-2020-15157).
    elsewhere.clear();
    elsewhere.on(at("GET", /^\/layer/, refusal(401, "UNAUTHORIZED", { "www-authenticate": "Basic" })));
    await expect(copyImage(root, repository, memoryStore(), { foreignLayers: "copy" })).rejects.toMatchObject(
      {
        status: 401,
        hint: "No login is sent to a layer's own URLs: ask the image's publisher.",
      },
    );
    expect(elsewhere.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
    for (const url of ["file:///etc/passwd", "https://user:secret@127.0.0.1/layer", "layer"]) {
      await expect(readAll(repository.fetch({ ...foreign, urls: [url] }))).rejects.toMatchObject({
        code: "REDIRECT_REFUSED",
      });
    }
    // Without the option the registry alone is asked, and does not have it.
    await expect(
      copyImage(root, site.repository(path), memoryStore(), { foreignLayers: "copy" }),
    ).rejects.toMatchObject({ code: "BLOB_UNKNOWN" });
    expect(elsewhere.requests).toHaveLength(1);
  });

  scenario("seek/range", async (site) => {
    const path = site.path();
    await pushed(site.repository(path), blob);
    site.front.on(times(2, at("GET", /\/blobs\//, cutAfter(9_000))));
    expect(await readAll(site.repository(path).fetch(blob.descriptor))).toEqual(blob.bytes);
    const ranges = site.front.asked("GET", /\/blobs\//).map(({ headers }) => headers.range);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.slice(1)).toHaveLength(2);
    for (const range of ranges.slice(1)) expect(range).toMatch(/^bytes=[1-9]\d*-$/);
    expect(site.front.asked("GET", /\/blobs\//).map(({ status }) => status)).toEqual([200, 206, 206]);
  });

  scenario("server ignores range", async (site) => {
    const path = site.path();
    await pushed(site.repository(path), blob);
    site.front.on(times(1, at("GET", /\/blobs\//, cutAfter(9_000))));
    site.front.on(at("GET", /\/blobs\//, (_, pass) => pass({ headers: { range: undefined } })));
    expect(await readAll(site.repository(path).fetch(blob.descriptor))).toEqual(blob.bytes);
    expect(site.front.asked("GET", /\/blobs\//).map(({ status }) => status)).toEqual([200, 200]);
  });

  scenario("zero-size blob", async (site) => {
    const empty = blobOf(new Uint8Array());
    const repository = site.repository();
    await pushed(repository, empty);
    expect(await readAll(repository.fetch(empty.descriptor))).toHaveLength(0);
  });

  scenario("Content-Encoding", async (site) => {
    const path = site.path();
    await pushed(site.repository(path), blob);
    site.front.on(
      at("GET", /\/blobs\//, async (_, pass) => withHeaders(await pass(), { "content-encoding": "gzip" })),
    );
    await expect(readAll(site.repository(path).fetch(blob.descriptor))).rejects.toMatchObject({
      code: "REGISTRY_PROTOCOL",
      message: expect.stringContaining("Content-Encoding gzip"),
    });
    expect(site.front.requests.at(-1)?.headers["accept-encoding"]).toBe("identity");
  });
});

const paths = (front: Front): readonly string[] => front.requests.map(({ path }) => path);
/** Of the requests for the tag. A challenge is no answer. */
const methods = (front: Front): readonly string[] =>
  front.requests
    .filter(({ status, path }) => status !== 401 && path.endsWith("/manifests/v1"))
    .map(({ method }) => method);

function served({ descriptor, bytes }: Blob) {
  return { status: 200, headers: { "content-type": descriptor.mediaType }, body: bytes };
}

function cutAfter(bytes: number) {
  return async (_: unknown, pass: () => Promise<{ status: number }>) => ({
    ...(await pass()),
    cutAfter: bytes,
  });
}

async function pushedImage(site: Site): Promise<{ readonly path: string; readonly root: Descriptor }> {
  const path = site.path();
  const { store, root } = await imageOf(`pull/${path}`);
  await copyImage(root, store, site.repository(path), { tags: ["v1"] });
  site.front.clear();
  return { path, root };
}

async function expectResolvedWithoutHead(site: Site, status: number): Promise<void> {
  const { path, root } = await pushedImage(site);
  site.front.on(at("HEAD", /\/manifests\//, { status }));
  expect(await site.repository(path).resolve("v1")).toEqual(root);
}

async function expectWrongSize(site: Site, body: Uint8Array): Promise<void> {
  const path = site.path();
  await pushed(site.repository(path), blob);
  site.front.on(at("GET", /\/blobs\//, { status: 200, body }));
  await expect(readAll(site.repository(path).fetch(blob.descriptor))).rejects.toMatchObject({
    code: "SIZE_MISMATCH",
  });
}

/** An image whose one layer lies elsewhere, and not at the registry. */
async function foreignImage(site: Site) {
  const elsewhere = await site.elsewhere();
  elsewhere.on(at("GET", /^\/layer/, { status: 200, body: blob.bytes }));
  const foreign: Descriptor = {
    ...blob.descriptor,
    mediaType: MediaType.dockerForeignLayerGzip,
    urls: [`${elsewhere.url}/layer`],
  };
  const config = blobOf(Buffer.from("{}"), "sha256", MediaType.dockerConfig);
  const manifest = documentOf(
    {
      schemaVersion: 2,
      mediaType: MediaType.dockerManifest,
      config: config.descriptor,
      layers: [foreign],
    },
    MediaType.dockerManifest,
  );
  const path = site.path();
  await pushed(site.repository(path), config);
  // docker-registry checks such URLs against a list that is empty.
  if (site.setup.server === "embedded") await pushed(site.repository(path), manifest);
  else site.front.on(at("*", new RegExp(`/manifests/${manifest.descriptor.digest}`), served(manifest)));
  return { path, root: manifest.descriptor, foreign, elsewhere };
}
