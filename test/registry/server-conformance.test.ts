import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MediaType } from "@undocked/registry";
import { startRegistry, type RunningRegistry } from "@undocked/registry/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/*
 * The scenarios of the OCI distribution-spec's conformance suite, each under its own name, over both storages. They speak
 * HTTP by hand, so that no client of ours stands between the test and what the server says.
 */

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const json = (value: unknown): Uint8Array => text(JSON.stringify(value));
const hash = (bytes: Uint8Array, algorithm = "sha256"): string =>
  `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;

interface Pushed {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}
const descriptor = (mediaType: string, bytes: Uint8Array, algorithm = "sha256"): Pushed => ({
  mediaType,
  digest: hash(bytes, algorithm),
  size: bytes.byteLength,
});

const storages = [
  ["in memory", async () => "memory"],
  ["on a directory", async () => mkdtemp(join(tmpdir(), "undocked-registry-"))],
] as const;

describe.each(storages)("%s", (_, open) => {
  let storage: string;
  let registry: RunningRegistry;
  let repositories = 0;
  beforeAll(async () => {
    storage = await open();
    registry = await startRegistry({ storage });
  });
  afterAll(async () => {
    await registry.close();
    if (storage !== "memory") await rm(storage, { recursive: true });
  });

  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(new URL(path, registry.url), { redirect: "manual", ...init });
  const send = (method: string, path: string, body: Uint8Array, headers: Record<string, string> = {}) =>
    ask(path, { method, body, headers });
  const newRepository = (): string => `conformance/repo-${++repositories}`;

  /** Asserts status, error code and the form of the error's body. */
  async function refused(response: Response, status: number, code: string): Promise<void> {
    expect(response.status).toBe(status);
    const body = (await response.json()) as { errors: { code: string; message: string }[] };
    expect(body.errors[0]?.code).toBe(code);
    expect(typeof body.errors[0]?.message).toBe("string");
  }

  async function begin(repository: string, query = ""): Promise<string> {
    const response = await ask(`/v2/${repository}/blobs/uploads/${query}`, { method: "POST" });
    expect(response.status).toBe(202);
    return locationOf(response);
  }
  function locationOf(response: Response): string {
    const location = response.headers.get("location");
    expect(location).toBeTruthy();
    return new URL(location ?? "", registry.url).href;
  }
  const withDigest = (location: string, digest: string): string =>
    `${location}${location.includes("?") ? "&" : "?"}digest=${digest}`;

  async function pushBlob(repository: string, bytes: Uint8Array, algorithm = "sha256"): Promise<Pushed> {
    const blob = descriptor("application/octet-stream", bytes, algorithm);
    const response = await send("PUT", withDigest(await begin(repository), blob.digest), bytes);
    expect(response.status).toBe(201);
    return blob;
  }

  async function expectBlob(repository: string, blob: Pushed, bytes: Uint8Array): Promise<void> {
    const path = `/v2/${repository}/blobs/${blob.digest}`;
    const head = await ask(path, { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(head.headers.get("content-length")).toBe(String(bytes.byteLength));
    expect(head.headers.get("docker-content-digest")).toBe(blob.digest);
    const get = await ask(path);
    expect(get.status).toBe(200);
    expect(Buffer.compare(new Uint8Array(await get.arrayBuffer()), bytes)).toBe(0);
  }

  test("ping", async () => {
    const response = await ask("/v2/");
    expect(response.status).toBe(200);
    expect(response.headers.get("docker-distribution-api-version")).toBe("registry/2.0");
  });

  test("empty tag list", async () => {
    const repository = newRepository();
    await refused(await ask(`/v2/${repository}/tags/list`), 404, "NAME_UNKNOWN");
    await pushBlob(repository, text("something"));
    const response = await ask(`/v2/${repository}/tags/list`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ name: repository, tags: [] });
  });

  test("empty referrers", async () => {
    const response = await ask(`/v2/${newRepository()}/referrers/${hash(text("nothing"))}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe(MediaType.ociIndex);
    expect(await response.json()).toEqual({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [] });
  });

  describe.each(["sha256", "sha512"])("blobs with %s", (algorithm) => {
    const bytes = text("the blob's own bytes");
    const digest = hash(bytes, algorithm);
    const size = bytes.byteLength;

    test("get missing", async () => {
      const path = `/v2/${newRepository()}/blobs/${digest}`;
      await refused(await ask(path), 404, "BLOB_UNKNOWN");
      expect((await ask(path, { method: "HEAD" })).status).toBe(404);
      await refused(await ask(path, { method: "DELETE" }), 404, "BLOB_UNKNOWN");
    });

    test("post only", async () => {
      const repository = newRepository();
      const response = await send("POST", `/v2/${repository}/blobs/uploads/?digest=${digest}`, bytes);
      expect(response.status).toBe(201);
      expect(locationOf(response)).toBe(`${registry.url}/v2/${repository}/blobs/${digest}`);
      await expectBlob(repository, { mediaType: "", digest, size }, bytes);
    });

    test("post + put", async () => {
      const repository = newRepository();
      const response = await send("PUT", withDigest(await begin(repository), digest), bytes);
      expect(response.status).toBe(201);
      expect(locationOf(response)).toContain(digest);
      await expectBlob(repository, { mediaType: "", digest, size }, bytes);
    });

    test("chunked single", async () => {
      const repository = newRepository();
      const patched = await send("PATCH", await begin(repository), bytes, {
        "content-range": `0-${size - 1}`,
      });
      expect(patched.status).toBe(202);
      expect(patched.headers.get("range")).toBe(`0-${size - 1}`);
      const put = await ask(withDigest(locationOf(patched), digest), { method: "PUT" });
      expect(put.status).toBe(201);
      await expectBlob(repository, { mediaType: "", digest, size }, bytes);
    });

    test("stream", async () => {
      const repository = newRepository();
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(bytes.subarray(0, 5));
          controller.enqueue(bytes.subarray(5));
          controller.close();
        },
      });
      // Without a length: chunked transfer coding.
      const init = { method: "PATCH", body, duplex: "half" } as RequestInit;
      const patched = await ask(await begin(repository), init);
      expect(patched.status).toBe(202);
      const put = await ask(withDigest(locationOf(patched), digest), { method: "PUT" });
      expect(put.status).toBe(201);
      await expectBlob(repository, { mediaType: "", digest, size }, bytes);
    });

    test("mount", async () => {
      const [source, target] = [newRepository(), newRepository()];
      await pushBlob(source, bytes, algorithm);
      const path = `/v2/${target}/blobs/uploads/?mount=${digest}&from=${source}`;
      const response = await ask(path, { method: "POST" });
      expect(response.status).toBe(201);
      expect(locationOf(response)).toBe(`${registry.url}/v2/${target}/blobs/${digest}`);
      await expectBlob(target, { mediaType: "", digest, size }, bytes);
      // It is the target's own now.
      await ask(`/v2/${source}/blobs/${digest}`, { method: "DELETE" });
      await expectBlob(target, { mediaType: "", digest, size }, bytes);
      expect((await ask(path, { method: "POST" })).status).toBe(202);
    });

    test("mount anonymous", async () => {
      const [source, target] = [newRepository(), newRepository()];
      await pushBlob(source, bytes, algorithm);
      await begin(target, `?mount=${digest}`);
      expect((await ask(`/v2/${target}/blobs/${digest}`)).status).toBe(404);
    });

    test("mount missing", async () => {
      const target = newRepository();
      const location = await begin(target, `?mount=${digest}&from=${newRepository()}`);
      expect((await send("PUT", withDigest(location, digest), bytes)).status).toBe(201);
    });

    test("post cancel", async () => {
      const location = await begin(newRepository());
      expect((await ask(location, { method: "DELETE" })).status).toBe(204);
      await refused(await ask(location), 404, "BLOB_UPLOAD_UNKNOWN");
      await refused(await ask(location, { method: "DELETE" }), 404, "BLOB_UPLOAD_UNKNOWN");
      await refused(await send("PUT", withDigest(location, digest), bytes), 404, "BLOB_UPLOAD_UNKNOWN");
    });

    test("chunked multi", async () => {
      const repository = newRepository();
      let location = await begin(repository);
      for (const [from, to] of [
        [0, 7],
        [7, 14],
        [14, size],
      ] as const) {
        const headers = { "content-range": `${from}-${to - 1}` };
        const patched = await send("PATCH", location, bytes.subarray(from, to), headers);
        expect(patched.status).toBe(202);
        location = locationOf(patched);
        const status = await ask(location);
        expect(status.status).toBe(204);
        expect(status.headers.get("range")).toBe(`0-${to - 1}`);
        location = locationOf(status);
      }
      expect((await ask(withDigest(location, digest), { method: "PUT" })).status).toBe(201);
      await expectBlob(repository, { mediaType: "", digest, size }, bytes);
    });

    test("chunked multi + put chunk", async () => {
      const repository = newRepository();
      const patched = await send("PATCH", await begin(repository), bytes.subarray(0, 7), {
        "content-range": "0-6",
      });
      const headers = { "content-range": `7-${size - 1}` };
      const put = await send("PUT", withDigest(locationOf(patched), digest), bytes.subarray(7), headers);
      expect(put.status).toBe(201);
      await expectBlob(repository, { mediaType: "", digest, size }, bytes);
    });

    test("chunked out-of-order", async () => {
      const repository = newRepository();
      const location = await begin(repository);
      const early = await send("PATCH", location, bytes.subarray(7), { "content-range": `7-${size - 1}` });
      expect(early.headers.get("location")).toBeTruthy();
      await refused(early, 416, "BLOB_UPLOAD_INVALID");
      const first = await send("PATCH", location, bytes.subarray(0, 7), { "content-range": "0-6" });
      expect(first.status).toBe(202);
      const again = await send("PATCH", locationOf(first), bytes.subarray(0, 7), { "content-range": "0-6" });
      expect(again.headers.get("range")).toBe("0-6");
      await refused(again, 416, "BLOB_UPLOAD_INVALID");
      const second = await send("PATCH", locationOf(first), bytes.subarray(7), {
        "content-range": `7-${size - 1}`,
      });
      expect(second.status).toBe(202);
      expect((await ask(withDigest(locationOf(second), digest), { method: "PUT" })).status).toBe(201);
      await expectBlob(repository, { mediaType: "", digest, size }, bytes);
    });

    test("chunked out-of-order + put chunk", async () => {
      const repository = newRepository();
      const first = await send("PATCH", await begin(repository), bytes.subarray(0, 7), {
        "content-range": "0-6",
      });
      const wrong = await send("PUT", withDigest(locationOf(first), digest), bytes.subarray(9), {
        "content-range": `9-${size - 1}`,
      });
      await refused(wrong, 416, "BLOB_UPLOAD_INVALID");
      const right = await send("PUT", withDigest(locationOf(first), digest), bytes.subarray(7), {
        "content-range": `7-${size - 1}`,
      });
      expect(right.status).toBe(201);
      await expectBlob(repository, { mediaType: "", digest, size }, bytes);
    });

    test.each([
      ["first bytes", "bytes=0-4", 206, [0, 5]],
      ["middle bytes", "bytes=5-9", 206, [5, 10]],
      ["one byte", "bytes=3-3", 206, [3, 4]],
      ["from a byte on", "bytes=5-", 206, [5, size]],
      ["last bytes", "bytes=-5", 206, [size - 5, size]],
      ["more than there is at the end", "bytes=-1000", 206, [0, size]],
      ["past the end", "bytes=5-1000", 206, [5, size]],
      ["the whole", `bytes=0-${size - 1}`, 206, [0, size]],
      ["behind the end", `bytes=${size}-`, 416, [0, 0]],
      ["the wrong way round, which is none", "bytes=9-5", 200, [0, size]],
      ["several, which it may ignore", "bytes=0-1,3-4", 200, [0, size]],
      ["another unit, which is none", "lines=0-1", 200, [0, size]],
    ] as const)("range requests: %s", async (_, range, status, [start, end]) => {
      const repository = newRepository();
      await pushBlob(repository, bytes, algorithm);
      const path = `/v2/${repository}/blobs/${digest}`;
      const response = await ask(path, { headers: { range } });
      expect(response.status).toBe(status);
      if (status === 416) {
        expect(response.headers.get("content-range")).toBe(`bytes */${size}`);
        return;
      }
      expect(response.headers.get("content-range")).toBe(
        status === 206 ? `bytes ${start}-${end - 1}/${size}` : null,
      );
      expect(response.headers.get("content-length")).toBe(String(end - start));
      expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.from(bytes.subarray(start, end)));
      const head = await ask(path, { method: "HEAD", headers: { range } });
      expect(head.headers.get("content-length")).toBe(String(end - start));
    });

    test("range requests: only of the blob that is meant", async () => {
      const repository = newRepository();
      await pushBlob(repository, bytes, algorithm);
      const path = `/v2/${repository}/blobs/${digest}`;
      const { headers } = await ask(path, { method: "HEAD" });
      const etag = headers.get("etag") ?? "";
      expect((await ask(path, { headers: { range: "bytes=0-1", "if-range": etag } })).status).toBe(206);
      expect((await ask(path, { headers: { range: "bytes=0-1", "if-range": '"else"' } })).status).toBe(200);
    });

    test.each([
      ["empty blob", new Uint8Array(0)],
      ["empty JSON", text("{}")],
    ])("%s", async (_, content) => {
      const repository = newRepository();
      await expectBlob(repository, await pushBlob(repository, content, algorithm), content);
    });

    describe("bad digest", () => {
      const wrong = hash(text("other bytes"), algorithm);
      test("post only", async () => {
        const repository = newRepository();
        const path = `/v2/${repository}/blobs/uploads/?digest=${wrong}`;
        await refused(await send("POST", path, bytes), 400, "DIGEST_INVALID");
        expect((await ask(`/v2/${repository}/blobs/${wrong}`)).status).toBe(404);
      });
      test("post + put", async () => {
        const repository = newRepository();
        const response = await send("PUT", withDigest(await begin(repository), wrong), bytes);
        await refused(response, 400, "DIGEST_INVALID");
        expect((await ask(`/v2/${repository}/blobs/${wrong}`)).status).toBe(404);
        expect((await ask(`/v2/${repository}/blobs/${digest}`)).status).toBe(404);
      });
      test("chunked", async () => {
        const repository = newRepository();
        const patched = await send("PATCH", await begin(repository), bytes, {
          "content-range": `0-${size - 1}`,
        });
        const put = await ask(withDigest(locationOf(patched), wrong), { method: "PUT" });
        await refused(put, 400, "DIGEST_INVALID");
      });
      test("stream", async () => {
        const patched = await send("PATCH", await begin(newRepository()), bytes);
        const put = await ask(withDigest(locationOf(patched), wrong), { method: "PUT" });
        await refused(put, 400, "DIGEST_INVALID");
      });
      test("none, or what is none", async () => {
        const location = await begin(newRepository());
        await refused(await send("PUT", location, bytes), 400, "DIGEST_INVALID");
        await refused(await send("PUT", withDigest(location, "sha256:abc"), bytes), 400, "DIGEST_INVALID");
        await refused(await send("PUT", withDigest(location, "md5:abc"), bytes), 400, "DIGEST_INVALID");
      });
    });

    test("delete", async () => {
      const repository = newRepository();
      await pushBlob(repository, bytes, algorithm);
      expect((await ask(`/v2/${repository}/blobs/${digest}`, { method: "DELETE" })).status).toBe(202);
      expect((await ask(`/v2/${repository}/blobs/${digest}`)).status).toBe(404);
    });
  });

  describe("a chunk", () => {
    test.each([
      ["whose range is none", "x-y", "BLOB_UPLOAD_INVALID"],
      ["whose range runs backwards", "4-0", "BLOB_UPLOAD_INVALID"],
      ["that is shorter than its range", "0-99", "SIZE_INVALID"],
    ])("%s is refused, and the upload goes on", async (_, range, code) => {
      const repository = newRepository();
      const location = await begin(repository);
      await refused(await send("PATCH", location, text("hello"), { "content-range": range }), 400, code);
      const digest = hash(text("hello"));
      expect((await send("PUT", withDigest(location, digest), text("hello"))).status).toBe(201);
    });

    test("of an upload in another repository is refused", async () => {
      const location = await begin(newRepository());
      const elsewhere = location.replace(/repo-\d+/, "elsewhere");
      await refused(await send("PATCH", elsewhere, text("hello")), 404, "BLOB_UPLOAD_UNKNOWN");
    });
  });

  interface Document {
    readonly bytes: Uint8Array;
    readonly mediaType: string;
    readonly subject?: Pushed;
    readonly algorithm?: string;
    /** As the referrers list shows it. */
    readonly artifactType?: string;
    readonly annotations?: Record<string, string>;
  }

  /** A manifest whose blobs are pushed. */
  async function manifest(
    repository: string,
    fields: Record<string, unknown> = {},
    layers: readonly string[] = ["layer 1", "layer 2"],
  ): Promise<Document> {
    const config = await pushBlob(repository, json({ architecture: "amd64", os: "linux" }));
    const pushed = await Promise.all(layers.map((layer) => pushBlob(repository, text(layer))));
    const mediaType = MediaType.ociManifest;
    const bytes = json({
      schemaVersion: 2,
      mediaType,
      config: { ...config, mediaType: MediaType.ociConfig },
      layers: pushed.map((layer) => ({ ...layer, mediaType: MediaType.ociLayer })),
      ...fields,
    });
    return { bytes, mediaType };
  }

  async function putManifest(repository: string, reference: string, document: Document): Promise<Response> {
    const path = `/v2/${repository}/manifests/${reference}`;
    return send("PUT", path, document.bytes, { "content-type": document.mediaType });
  }

  async function pushedManifest(repository: string, document?: Document): Promise<Pushed> {
    const { bytes, mediaType } = document ?? (await manifest(repository));
    const pushed = descriptor(mediaType, bytes);
    expect((await putManifest(repository, pushed.digest, { bytes, mediaType })).status).toBe(201);
    return pushed;
  }

  const index = (manifests: readonly object[], fields: Record<string, unknown> = {}): Document => ({
    bytes: json({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests, ...fields }),
    mediaType: MediaType.ociIndex,
  });
  const missing: Pushed = descriptor(MediaType.ociManifest, text("a manifest that nobody has"));
  const annotations = { "org.example.note": "kept" };

  /** Every kind of document that the suite pushes. */
  const documents: readonly (readonly [string, (repository: string) => Promise<Document>])[] = [
    ["image", (repository) => manifest(repository)],
    [
      "image uncompressed, of Docker's types",
      async (repository) => {
        const config = await pushBlob(repository, json({}));
        const layer = await pushBlob(repository, text("tar"));
        const mediaType = MediaType.dockerManifest;
        const bytes = json({
          schemaVersion: 2,
          mediaType,
          config: { ...config, mediaType: MediaType.dockerConfig },
          layers: [{ ...layer, mediaType: MediaType.dockerLayer }],
        });
        return { bytes, mediaType };
      },
    ],
    [
      "large manifest",
      async (repository) => {
        const filler = { annotations: { filler: "x".repeat(4 * 1024 * 1024 - 2000) } };
        return manifest(repository, filler);
      },
    ],
    [
      "index",
      async (repository) =>
        index([
          { ...(await pushedManifest(repository)), platform: { os: "linux", architecture: "amd64" } },
          await pushedManifest(repository, await manifest(repository, { annotations })),
        ]),
    ],
    [
      "nested index",
      async (repository) =>
        index([await pushedManifest(repository, index([await pushedManifest(repository)]))]),
    ],
    ["empty index", async () => index([])],
    ["artifact", (repository) => manifest(repository, { artifactType: "application/vnd.example" })],
    ["artifact index", async () => index([], { artifactType: "application/vnd.example" })],
    [
      "artifact without layers",
      (repository) => manifest(repository, { artifactType: "application/vnd.example" }, []),
    ],
    [
      "artifact with subject",
      async (repository) => {
        const subject = await pushedManifest(repository);
        const artifactType = "application/vnd.example.sbom";
        return {
          ...(await manifest(repository, { artifactType, subject, annotations })),
          subject,
          artifactType,
          annotations,
        };
      },
    ],
    [
      "image with subject",
      async (repository) => {
        const subject = await pushedManifest(repository);
        return {
          ...(await manifest(repository, { subject, annotations })),
          subject,
          artifactType: MediaType.ociConfig,
          annotations,
        };
      },
    ],
    [
      "index with subject",
      async (repository) => {
        const subject = await pushedManifest(repository);
        const artifactType = "application/vnd.example.list";
        return { ...index([], { subject, artifactType, annotations }), subject, artifactType, annotations };
      },
    ],
    [
      "missing subject",
      async (repository) => {
        const artifactType = "application/vnd.example.sbom";
        return {
          ...(await manifest(repository, { subject: missing, artifactType })),
          subject: missing,
          artifactType,
        };
      },
    ],
    [
      "data field",
      async (repository) => {
        const empty = {
          ...(await pushBlob(repository, text("{}"))),
          mediaType: MediaType.ociEmpty,
          data: "e30=",
        };
        return manifest(repository, { config: empty });
      },
    ],
    [
      "non-distributable",
      (repository) =>
        manifest(repository, {
          layers: [
            {
              ...descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar", text("elsewhere")),
              urls: ["https://example.invalid/layer"],
            },
          ],
        }),
    ],
    ["custom fields", (repository) => manifest(repository, { "org.example.custom": { a: [1, null] } })],
    ["no layers", (repository) => manifest(repository, {}, [])],
    ["sha512", async (repository) => ({ ...(await manifest(repository)), algorithm: "sha512" })],
    ["without its own media type", (repository) => manifest(repository, { mediaType: undefined })],
  ];

  test.each(documents)(
    "manifests: %s is pushed, listed, pulled, referred to and deleted",
    async (_, make) => {
      const repository = newRepository();
      const document = await make(repository);
      const { bytes, mediaType, subject, algorithm = "sha256", artifactType } = document;
      const digest = hash(bytes, algorithm);

      const byDigest = await putManifest(repository, digest, document);
      expect(byDigest.status).toBe(201);
      expect(byDigest.headers.get("docker-content-digest")).toBe(digest);
      expect(byDigest.headers.get("oci-subject")).toBe(subject?.digest ?? null);
      const byTag = await putManifest(repository, "tagged", document);
      expect(byTag.status).toBe(201);
      expect(locationOf(byTag)).toBe(`${registry.url}/v2/${repository}/manifests/${hash(bytes)}`);
      expect(await (await ask(`/v2/${repository}/tags/list`)).json()).toEqual({
        name: repository,
        tags: ["tagged"],
      });

      for (const reference of [digest, "tagged"]) {
        const path = `/v2/${repository}/manifests/${reference}`;
        const head = await ask(path, { method: "HEAD" });
        expect(head.status).toBe(200);
        expect(head.headers.get("content-type")).toBe(mediaType);
        expect(head.headers.get("content-length")).toBe(String(bytes.byteLength));
        const get = await ask(path, { headers: { accept: mediaType } });
        expect(get.headers.get("content-type")).toBe(mediaType);
        expect(Buffer.compare(new Uint8Array(await get.arrayBuffer()), bytes)).toBe(0);
      }

      const referrers = async (): Promise<object[]> => {
        const response = await ask(`/v2/${repository}/referrers/${subject?.digest ?? digest}`);
        return ((await response.json()) as { manifests: object[] }).manifests;
      };
      if (subject !== undefined) {
        expect(await referrers()).toEqual([
          {
            mediaType,
            digest,
            size: bytes.byteLength,
            artifactType,
            ...(document.annotations === undefined ? {} : { annotations: document.annotations }),
          },
        ]);
      }

      const tagPath = `/v2/${repository}/manifests/tagged`;
      expect((await ask(tagPath, { method: "DELETE" })).status).toBe(202);
      await refused(await ask(tagPath), 404, "MANIFEST_UNKNOWN");
      expect((await ask(`/v2/${repository}/manifests/${digest}`)).status).toBe(200);
      await putManifest(repository, "again", document);
      expect((await ask(`/v2/${repository}/manifests/${digest}`, { method: "DELETE" })).status).toBe(202);
      await refused(await ask(`/v2/${repository}/manifests/${digest}`), 404, "MANIFEST_UNKNOWN");
      if (algorithm === "sha256") {
        // Of a repository that has nothing any more, there is no list.
        const { tags = [] } = (await (await ask(`/v2/${repository}/tags/list`)).json()) as {
          tags?: string[];
        };
        expect(tags).toEqual([]);
      }
      if (subject !== undefined) expect(await referrers()).toEqual([]);
    },
  );

  test("manifests: bad digest image", async () => {
    const repository = newRepository();
    const wrong = hash(text("other bytes"));
    await refused(await putManifest(repository, wrong, await manifest(repository)), 400, "DIGEST_INVALID");
    expect((await ask(`/v2/${repository}/manifests/${wrong}`)).status).toBe(404);
  });

  test("manifests: missing by digest and by tag", async () => {
    const repository = newRepository();
    for (const reference of [missing.digest, "absent"]) {
      const path = `/v2/${repository}/manifests/${reference}`;
      await refused(await ask(path), 404, "MANIFEST_UNKNOWN");
      expect((await ask(path, { method: "HEAD" })).status).toBe(404);
      await refused(await ask(path, { method: "DELETE" }), 404, "MANIFEST_UNKNOWN");
    }
  });

  test("manifests: what they point to must be there", async () => {
    const repository = newRepository();
    const absent = { ...descriptor(MediaType.ociLayer, text("absent")) };
    const image = await manifest(repository, { layers: [absent] });
    await refused(await putManifest(repository, "v1", image), 400, "MANIFEST_BLOB_UNKNOWN");
    await refused(await putManifest(repository, "v1", index([missing])), 400, "MANIFEST_BLOB_UNKNOWN");
    // In another repository is not in this one.
    const elsewhere = await pushedManifest(newRepository());
    await refused(await putManifest(repository, "v1", index([elsewhere])), 400, "MANIFEST_BLOB_UNKNOWN");
    expect((await ask(`/v2/${repository}/manifests/v1`)).status).toBe(404);
  });

  test.each([
    ["not JSON", text("{"), MediaType.ociManifest],
    ["no manifest", text("[]"), MediaType.ociManifest],
    ["of schema 1", json({ schemaVersion: 1 }), "application/vnd.docker.distribution.manifest.v1+json"],
    [
      "a manifest and an index at once",
      json({ schemaVersion: 2, config: {}, layers: [], manifests: [] }),
      MediaType.ociIndex,
    ],
    ["sent as something else", index([]).bytes, MediaType.ociManifest],
    ["deeper than a stack", text("[".repeat(100_000) + "]".repeat(100_000)), MediaType.ociManifest],
  ])("manifests: one that is %s is refused", async (_, bytes, mediaType) => {
    await refused(await putManifest(newRepository(), "v1", { bytes, mediaType }), 400, "MANIFEST_INVALID");
  });

  test("manifests: one of more than 4 MiB is refused", async () => {
    const bytes = index([], { annotations: { filler: "x".repeat(4 * 1024 * 1024) } }).bytes;
    const response = await putManifest(newRepository(), "v1", { bytes, mediaType: MediaType.ociIndex });
    await refused(response, 413, "SIZE_INVALID");
  });

  test("manifests: several tags in one request", async () => {
    const repository = newRepository();
    const document = await manifest(repository);
    const reference = `${hash(document.bytes)}?tag=one&tag=two`;
    const response = await putManifest(repository, reference, document);
    expect(response.headers.get("oci-tag")).toBe("one, two");
    expect(await (await ask(`/v2/${repository}/tags/list`)).json()).toMatchObject({ tags: ["one", "two"] });
  });

  test("manifests: a tag moves", async () => {
    const repository = newRepository();
    await putManifest(repository, "v1", await manifest(repository));
    const second = await manifest(repository, { annotations });
    await putManifest(repository, "v1", second);
    const { headers } = await ask(`/v2/${repository}/manifests/v1`, { method: "HEAD" });
    expect(headers.get("docker-content-digest")).toBe(hash(second.bytes));
  });

  test("invalid digest format", async () => {
    for (const digest of ["sha256:abc", `sha256:${"A".repeat(64)}`, "md5:d41d8cd98f00b204e9800998ecf8427e"]) {
      await refused(await ask(`/v2/${newRepository()}/blobs/${digest}`), 400, "DIGEST_INVALID");
      await refused(await ask(`/v2/${newRepository()}/manifests/${digest}`), 400, "DIGEST_INVALID");
      await refused(await ask(`/v2/${newRepository()}/referrers/${digest}`), 400, "DIGEST_INVALID");
    }
  });

  test("tag list: pages in byte order, by Link", async () => {
    const repository = newRepository();
    const document = await manifest(repository);
    const tags = ["Z", "a", "b", "b.1", "c"];
    for (const tag of tags.toReversed()) await putManifest(repository, tag, document);
    const all: string[][] = [];
    let path: string | undefined = `/v2/${repository}/tags/list?n=2`;
    while (path !== undefined) {
      const response: Response = await ask(path);
      all.push(((await response.json()) as { tags: string[] }).tags);
      path = /^<([^>]+)>; rel="next"$/.exec(response.headers.get("link") ?? "")?.[1];
    }
    expect(all).toEqual([["Z", "a"], ["b", "b.1"], ["c"]]);
    const tagsOf = async (query: string): Promise<unknown> =>
      ((await (await ask(`/v2/${repository}/tags/list?${query}`)).json()) as { tags: string[] }).tags;
    expect(await tagsOf("last=b")).toEqual(["b.1", "c"]);
    expect(await tagsOf("last=nothing-like-it&n=1")).toEqual([]);
    expect(await tagsOf("n=0")).toEqual([]);
    expect((await ask(`/v2/${repository}/tags/list?n=x`)).status).toBe(400);
  });

  test("referrers: filtered and in pages", async () => {
    const repository = newRepository();
    const subject = await pushedManifest(repository);
    for (const artifactType of ["a/a", "a/b", "a/b"]) {
      await pushedManifest(
        repository,
        await manifest(repository, { subject, artifactType, annotations: { n: String(Math.random()) } }),
      );
    }
    const path = `/v2/${repository}/referrers/${subject.digest}`;
    const filtered = await ask(`${path}?artifactType=a/b`);
    expect(filtered.headers.get("oci-filters-applied")).toBe("artifactType");
    expect(((await filtered.json()) as { manifests: unknown[] }).manifests).toHaveLength(2);
    const all = await ask(path);
    expect(all.headers.get("oci-filters-applied")).toBeNull();
    expect(((await all.json()) as { manifests: unknown[] }).manifests).toHaveLength(3);
    const page = await ask(`${path}?n=2`);
    const next = /^<([^>]+)>; rel="next"$/.exec(page.headers.get("link") ?? "")?.[1] ?? "";
    expect(((await (await ask(next)).json()) as { manifests: unknown[] }).manifests).toHaveLength(1);
  });

  test.each([
    ["/v2/Upper/tags/list", 400, "NAME_INVALID"],
    ["/v2/a//b/tags/list", 400, "NAME_INVALID"],
    ["/v2/_blobs/tags/list", 400, "NAME_INVALID"],
    ["/v2/a/%2e%2e/b/tags/list", 400, "NAME_INVALID"],
    ["/v2/a/..%2f..%2fetc/blobs/sha256:00", 400, "NAME_INVALID"],
    [`/v2/a/..%2f..%2fetc/blobs/${hash(text("x"))}`, 400, "NAME_INVALID"],
    [`/v2/a%00b/blobs/${hash(text("x"))}`, 400, "NAME_INVALID"],
    [`/v2/${"a".repeat(256)}/tags/list`, 400, "NAME_INVALID"],
    ["/v2/a/manifests/..%2fb", 404, "UNSUPPORTED"],
    ["/v2/a/manifests/.hidden", 400, "MANIFEST_INVALID"],
    [`/v2/a/manifests/${"t".repeat(129)}`, 400, "MANIFEST_INVALID"],
    ["/v2/a/manifests/%zz", 404, "UNSUPPORTED"],
    ["/v2/a/blobs/uploads/..%2f..", 404, "UNSUPPORTED"],
    ["/v2/a/blobs/uploads/not-an-upload", 404, "BLOB_UPLOAD_UNKNOWN"],
    ["/v1/search", 404, "UNSUPPORTED"],
    ["/", 404, "UNSUPPORTED"],
  ])("the path %s is refused with %i %s", async (path, status, code) => {
    // By hand: fetch resolves dots away.
    const response = await new Promise<Response>((resolve, reject) => {
      get({ host: "127.0.0.1", port: registry.port, path }, (answer) => {
        answer.setEncoding("utf8");
        let body = "";
        answer.on("data", (chunk: string) => (body += chunk));
        answer.on("end", () => resolve(new Response(body, { status: answer.statusCode ?? 0 })));
      }).on("error", reject);
    });
    await refused(response, status, code);
  });

  test("methods that a path does not have are refused", async () => {
    for (const [method, path] of [
      ["POST", "/v2/"],
      ["PUT", `/v2/a/blobs/${missing.digest}`],
      ["POST", "/v2/a/manifests/v1"],
      ["GET", "/v2/a/blobs/uploads/"],
      ["POST", "/v2/a/tags/list"],
      ["DELETE", `/v2/a/referrers/${missing.digest}`],
    ] as const) {
      const response = await ask(path, { method });
      expect(response.headers.get("allow")).toBeTruthy();
      await refused(response, 405, "UNSUPPORTED");
    }
  });

  test("none of this broke the server", () => {
    expect(registry.requests.filter(({ error, status }) => error !== undefined || status === 500)).toEqual(
      [],
    );
    expect(registry.requests.length).toBeGreaterThan(100);
  });
});
