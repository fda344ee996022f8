import { contentOf, copyImage, MediaType, memoryStore, readAll, type CopyEvent } from "@undocked/registry";
import { expect } from "vitest";
import {
  at,
  refusal,
  times,
  withHeaders,
  type FrontRequest,
  type Outcome,
  type Pass,
} from "../../support/front.ts";
import { randomBytes } from "../../support/random-image.ts";
import type { Define } from "./checklist.ts";
import { blobOf, documentOf, equal, imageOf, pushed, randomBlob } from "./content.ts";
import type { Site } from "./site.ts";

const blob = randomBlob("push", 30_000);
const upload = /\/blobs\/uploads\//;

/** What goes up, and how it gets there. */
export function blobScenarios(scenario: Define): void {
  scenario("exists", async (site) => {
    const path = site.path();
    await pushed(site.repository(path), blob);
    site.front.clear();
    await pushed(site.repository(path), blob);
    expect(site.front.lines()).toEqual([`HEAD /v2/${path}/blobs/${blob.descriptor.digest} 200`]);
  });

  scenario("not exists", async (site) => {
    const path = site.path();
    await pushed(site.repository(path), blob);
    const answered = site.front.requests.filter(({ status }) => status !== 401);
    expect(answered.map(({ method, status }) => `${method} ${status}`)).toEqual([
      "HEAD 404",
      "POST 202",
      "PUT 201",
    ]);
    expect(answered[2]?.headers["content-length"]).toBe(String(blob.descriptor.size));
    expect(answered[2]?.headers["content-range"]).toBeUndefined();
  });

  scenario("403 HEAD -> GET", async (site) => {
    const path = site.path();
    const { store, root } = await imageOf(path);
    await copyImage(root, store, site.repository(path), { tags: ["v1"] });
    site.front.clear();
    site.front.on(at("HEAD", /\/manifests\//, { status: 403 }));
    await site.repository(path).push(root, store.fetch(root));
    expect(site.front.asked("GET", /\/manifests\//)).toHaveLength(1);
    expect(site.front.asked("PUT", /./)).toEqual([]);
  });

  scenario("stream unknown size", async (site) => {
    const bytes = randomBytes("stream", 100_000);
    const stream = async function* () {
      for (let from = 0; from < bytes.byteLength; from += 7_000) yield bytes.subarray(from, from + 7_000);
    };
    const repository = site.repository(site.path(), site.client({ upload: { chunkSize: 30_000 } }));
    const found = await repository.ingest(MediaType.ociLayer, stream());
    expect(found).toEqual(blobOf(bytes, "sha256", MediaType.ociLayer).descriptor);
    expect(equal(await readAll(repository.fetch(found)), bytes)).toBe(true);
    expect(site.front.asked("PATCH", upload).map(({ body }) => body.byteLength)).toEqual([
      30_000, 30_000, 30_000, 10_000,
    ]);
  });

  scenario("empty blob", async (site) => {
    const empty = blobOf(new Uint8Array());
    const repository = site.repository();
    await pushed(repository, empty);
    expect(await readAll(repository.fetch(empty.descriptor))).toHaveLength(0);
    expect(await repository.ingest(MediaType.ociLayerGzip, contentOf(new Uint8Array()))).toEqual(
      empty.descriptor,
    );
  });

  scenario("no descriptor", async (site) => {
    const repository = site.repository();
    const found = await repository.ingest(blob.descriptor.mediaType, contentOf(blob.bytes));
    expect(found).toEqual(blob.descriptor);
    // What is small enough to be known goes as what is known: where it is, nothing is sent.
    site.front.clear();
    await repository.ingest(blob.descriptor.mediaType, contentOf(blob.bytes));
    expect(site.front.requests.map(({ method }) => method)).toEqual(["HEAD"]);
    const document = documentOf({
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: blob.descriptor,
      layers: [],
    });
    const root = await repository.ingest(MediaType.ociManifest, contentOf(document.bytes));
    expect(await repository.resolve(root.digest)).toEqual(document.descriptor);
  });

  scenario("wrong size", async (site) => {
    await expectNotTaken(site, blob.bytes.subarray(1), "SIZE_MISMATCH");
  });

  scenario("wrong digest", async (site) => {
    await expectNotTaken(site, Buffer.from(blob.bytes).reverse(), "DIGEST_MISMATCH");
  });

  scenario("retryable body", async (site) => {
    site.front.on(times(2, at("PUT", upload, refusal(503, "UNAVAILABLE"))));
    const repository = site.repository();
    await pushed(repository, blob);
    expect(equal(await readAll(repository.fetch(blob.descriptor)), blob.bytes)).toBe(true);
    expect(site.front.asked("PUT", upload).map(({ status }) => status)).toEqual([503, 503, 201]);
  });

  scenario("not retryable body", async (site) => {
    site.front.on(times(1, at("PUT", upload, refusal(503, "UNAVAILABLE"))));
    const repository = site.repository();
    await expect(repository.push(blob.descriptor, contentOf(blob.bytes))).rejects.toMatchObject({
      status: 503,
    });
    expect(site.front.asked("PUT", upload)).toHaveLength(1);
    expect(await repository.exists(blob.descriptor)).toBe(false);
  });

  scenario("partial chunk", async (site) => {
    // The registry has the first half of a piece, and the line breaks.
    site.front.on(
      times(
        1,
        at("PATCH", upload, async (request, pass): Promise<Outcome> => {
          await firstBytes(4_000, request, pass);
          return "reset";
        }),
      ),
    );
    await pushInPieces(site);
    // docker-registry signs the state of an upload into its Location. The one that the client has is of before, so that it
    // can but begin a new upload.
    const again = site.setup.server === "embedded" ? "4000-9999" : "0-9999";
    expect(ranges(site)).toEqual(["0-9999", again, "10000-19999", "20000-29999"]);
  });

  scenario("chunk resized by OCI-Chunk-Min-Length", async (site) => {
    site.front.on(
      at("POST", upload, async (_, pass) => {
        const reply = await pass();
        return reply.status === 202 ? withHeaders(reply, { "oci-chunk-min-length": "16000" }) : reply;
      }),
    );
    await pushInPieces(site);
    expect(ranges(site)).toEqual(["0-15999", "16000-29999"]);
  });

  scenario("416 + status", async (site) => {
    // The registry has more than the client knows: an answer was lost, and a proxy sends the piece again. Asked for its
    // status, the upload is found by its newest Location, whatever the client has.
    let newest: string | undefined;
    site.front.on(at("GET", upload, (_, pass) => pass(newest === undefined ? {} : { target: newest })));
    site.front.on(
      times(
        1,
        at("PATCH", upload, async (request, pass) => {
          newest = await firstBytes(4_000, request, pass);
          return refusal(416, "BLOB_UPLOAD_INVALID");
        }),
      ),
    );
    await pushInPieces(site);
    expect(ranges(site)).toEqual(["0-9999", "4000-9999", "10000-19999", "20000-29999"]);
    expect(site.front.asked("GET", upload)).toHaveLength(1);
  });

  scenario("sha512", async (site) => {
    const sha512 = randomBlob("push", 30_000, "sha512");
    if (site.setup.server === "docker-registry") {
      // docker-registry 2.8.2 stores no such digest: the front gives it the one that it knows.
      const known = ({ target }: { target: string }): string =>
        target
          .replace(encodeURIComponent(sha512.descriptor.digest), encodeURIComponent(blob.descriptor.digest))
          .replace(sha512.descriptor.digest, blob.descriptor.digest);
      site.front.on(at("*", /sha512/, (request, pass) => pass({ target: known(request) })));
    }
    const repository = site.repository();
    await pushed(repository, sha512);
    expect(equal(await readAll(repository.fetch(sha512.descriptor)), blob.bytes)).toBe(true);
    expect(
      site.front.asked("POST", upload).every(({ query }) => query.get("digest-algorithm") === "sha512"),
    ).toBe(true);
    expect(site.front.asked("PUT", upload)[0]?.query.get("digest")).toBe(sha512.descriptor.digest);
  });

  scenario("connection reset -> retry", async (site) => {
    await expectPushedAfter(site, "reset");
  });

  scenario("connection closed -> retry", async (site) => {
    await expectPushedAfter(site, "close");
  });

  scenario("dedupe of layers", async (site) => {
    const store = memoryStore();
    const layer = await store.ingest(MediaType.ociLayerGzip, contentOf(blob.bytes));
    const config = await store.ingest(MediaType.ociConfig, contentOf(Buffer.from("{}")));
    const document = documentOf({
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config,
      layers: [layer, layer, layer],
    });
    await store.push(document.descriptor, document.content);
    const path = site.path();
    await copyImage(document.descriptor, store, site.repository(path));
    const sent = site.front.asked("PUT", upload).map(({ query }) => query.get("digest") ?? "");
    expect(sent.toSorted()).toEqual([layer.digest, config.digest].toSorted());
  });

  scenario("progress goes back on retry", async (site) => {
    site.front.on(times(1, at("PUT", upload, refusal(503, "UNAVAILABLE"))));
    const store = memoryStore();
    await store.push(blob.descriptor, blob.content);
    const bytes: number[] = [];
    const onEvent = (event: CopyEvent): void => {
      if (event.kind === "progress") bytes.push(event.bytes);
    };
    await copyImage(blob.descriptor, store, site.repository(), { onEvent });
    // Once to its end, and again from the start: nobody is told of more than the blob has.
    expect(bytes).toEqual([blob.descriptor.size, blob.descriptor.size]);
  });
}

async function expectNotTaken(site: Site, bytes: Uint8Array, code: string): Promise<void> {
  const repository = site.repository();
  await expect(repository.push(blob.descriptor, blobOf(bytes).content)).rejects.toMatchObject({ code });
  expect(await repository.exists(blob.descriptor)).toBe(false);
}

async function expectPushedAfter(site: Site, end: "reset" | "close"): Promise<void> {
  site.front.on(times(1, at("HEAD", /\/blobs\//, end)));
  site.front.on(times(1, at("POST", upload, end)));
  site.front.on(times(1, at("PUT", upload, end)));
  const repository = site.repository();
  await pushed(repository, blob);
  expect(equal(await readAll(repository.fetch(blob.descriptor)), blob.bytes)).toBe(true);
  const failed = site.events.flatMap((event) => (event.kind === "retry" ? [event.method] : []));
  expect(new Set(failed)).toEqual(new Set(["HEAD", "POST", "PUT"]));
}

async function pushInPieces(site: Site): Promise<void> {
  const repository = site.repository(site.path(), site.client({ upload: { chunkSize: 10_000 } }));
  await pushed(repository, blob);
  expect(equal(await readAll(repository.fetch(blob.descriptor)), blob.bytes)).toBe(true);
}

/** Gives the registry the beginning of a piece, as if that were all of it. @returns where the upload goes on */
async function firstBytes(count: number, { headers, body }: FrontRequest, pass: Pass): Promise<string> {
  const first = Number(headers["content-range"]?.split("-")[0] ?? 0);
  const reply = await pass({
    body: body.subarray(0, count),
    headers: { "content-range": `${first}-${first + count - 1}` },
  });
  const { pathname, search } = new URL(String(reply.headers?.["location"]), "http://front");
  return pathname + search;
}

function ranges(site: Site): readonly (string | undefined)[] {
  return site.front.asked("PATCH", upload).map(({ headers }) => headers["content-range"]);
}
