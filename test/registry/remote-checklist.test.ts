import { randomBytes } from "node:crypto";
import {
  contentOf,
  copyImage,
  digestOf,
  encodeJson,
  MediaType,
  memoryStore,
  nodeFetchTransport,
  readAll,
  registryClient,
  replayable,
  type Descriptor,
  type HttpRequest,
  type HttpResponse,
  type RegistryClient,
  type RegistryClientOptions,
  type RegistryEvent,
  type Transport,
} from "@undocked/registry";
import { startRegistry } from "@undocked/registry/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDockerRegistry } from "../support/docker-registry.ts";
import { randomImage, randomIndex, validateImage } from "../support/random-image.ts";
import { certificateAuthority } from "../support/tls.ts";
import { startTokenService } from "../support/token-service.ts";
import { lacks } from "../support/tools.ts";

interface Setup {
  readonly host: string;
  readonly options: RegistryClientOptions;
  close(): Promise<void>;
}

const authority = certificateAuthority();
const login = { username: "user", password: "CANARY:pässword" };

/** Every server there is, plain, and behind TLS of a private authority with tokens. */
const setups: readonly (readonly [name: string, open: () => Promise<Setup>, missing: boolean])[] = [
  [
    "the embedded registry, plain",
    async () => {
      const registry = await startRegistry();
      return { host: registry.host, options: { credentials: "anonymous" }, close: () => registry.close() };
    },
    false,
  ],
  [
    "the embedded registry, behind TLS with tokens",
    async () => {
      const registry = await startRegistry({
        tls: authority.issue("127.0.0.1"),
        auth: { type: "bearer", users: { [login.username]: login.password } },
      });
      const options = { ca: authority.cert, credentials: { [registry.host]: login } };
      return { host: registry.host, options, close: () => registry.close() };
    },
    false,
  ],
  [
    "Debian's docker-registry, plain",
    async () => {
      const registry = await startDockerRegistry();
      const close = (): Promise<void> => Promise.resolve(registry[Symbol.asyncDispose]());
      return { host: registry.host, options: { credentials: "anonymous" }, close };
    },
    lacks("docker-registry"),
  ],
  [
    "Debian's docker-registry, behind TLS with tokens",
    async () => {
      const tokens = await startTokenService({
        signer: authority.issue("signer"),
        tls: authority.issue("127.0.0.1"),
        issuer: "undocked-test",
        users: { [login.username]: login.password },
      });
      const registry = await startDockerRegistry({
        tls: authority.issue("127.0.0.1"),
        auth: {
          kind: "token",
          realm: `${tokens.url}/token`,
          service: "test-registry",
          issuer: "undocked-test",
          rootCertificate: authority.cert,
        },
      });
      return {
        host: registry.host,
        options: { ca: authority.cert, credentials: { [registry.host]: login } },
        close: async () => {
          await registry[Symbol.asyncDispose]();
          await tokens[Symbol.asyncDispose]();
        },
      };
    },
    lacks("docker-registry"),
  ],
];

const blob = randomBytes(150_000);
const layer: Descriptor = {
  mediaType: MediaType.ociLayerGzip,
  digest: digestOf(blob),
  size: blob.byteLength,
};
const content = replayable(() => contentOf(blob));

for (const [name, open, missing] of setups) {
  describe.skipIf(missing)(name, () => {
    let setup: Setup;
    let client: RegistryClient;
    const events: RegistryEvent[] = [];
    beforeAll(async () => {
      setup = await open();
      client = registryClient({ ...setup.options, onEvent: (event) => events.push(event) });
    });
    afterAll(async () => {
      await client[Symbol.asyncDispose]();
      await setup.close();
    });
    const repository = (path: string, by = client) => by.repository(`${setup.host}/${path}`);
    const requests = () => events.flatMap((event) => (event.kind === "request" ? [event] : []));

    /** A client whose line breaks: `break` is asked of each request. */
    const broken = (harm: (request: HttpRequest, response: HttpResponse) => HttpResponse | "lost") => {
      const direct = nodeFetchTransport({ environment: {} });
      const transport: Transport = async (request) => {
        const response = await direct(request);
        const harmed = harm(request, response);
        if (harmed !== "lost") return harmed;
        response.cancel();
        throw Object.assign(new Error("lost"), { code: "ECONNRESET" });
      };
      return registryClient({ ...setup.options, transport, retry: { baseMs: 1, retries: 20 } });
    };

    test("auth: tokens are asked for once by parallel calls", async () => {
      events.length = 0;
      await Promise.all(Array.from({ length: 10 }, () => repository("parallel").exists(layer)));
      const tokens = events.filter(({ kind }) => kind === "token").length;
      expect(tokens).toBe(name.includes("tokens") ? 1 : 0);
    });

    describe.skipIf(!name.includes("TLS"))("where it applies", () => {
      test("auth: a wrong password is told with the status and without itself", async () => {
        await using wrong = registryClient({
          ...setup.options,
          credentials: { [setup.host]: { username: "user", password: "WRONG" } },
        });
        const error = await repository("a", wrong)
          .resolve("1")
          .catch((it: unknown) => it);
        expect(error).toMatchObject({ code: "UNAUTHORIZED", status: 401 });
        expect(JSON.stringify(error) + String(error)).not.toContain("WRONG");
      });
    });

    test.each(["oci", "docker"] as const)(
      "pull and push: an image of %s types stays as it is",
      async (types) => {
        const from = memoryStore();
        const root = await randomImage(from, types, { types });
        await copyImage(root, from, repository(`image/${types}`), { tags: ["v1"] });
        expect(await repository(`image/${types}`).resolve("v1")).toEqual(root);
        expect((await repository(`image/${types}`).fetchManifest(root.digest)).descriptor).toEqual(root);
        await validateImage(root, repository(`image/${types}`));
      },
    );

    test("pull and push: an index of several platforms", async () => {
      const from = memoryStore();
      const root = await randomIndex(from, 7, ["amd64", "arm64"]);
      await copyImage(root, from, repository("index"), { tags: ["v1"] });
      const to = memoryStore();
      await copyImage(root, repository("index"), to, { tags: ["v1"] });
      await validateImage(root, to);
    });

    test("pull: what is not there has the specification's codes", async () => {
      const none = { ...layer, digest: digestOf("none") };
      await expect(readAll(repository("image/oci").fetch(none))).rejects.toMatchObject({
        code: "BLOB_UNKNOWN",
      });
      await expect(repository("image/oci").resolve("none")).rejects.toMatchObject({
        code: "MANIFEST_UNKNOWN",
      });
      expect(await repository("image/oci").exists(none)).toBe(false);
    });

    test("pull: a short read goes on where it stopped", async () => {
      await repository("resume").push(layer, content);
      let cuts = 0;
      const ranges: (string | undefined)[] = [];
      await using cutting = broken((request, response) => {
        if (request.method !== "GET" || !request.url.includes("/blobs/") || response.status >= 300) {
          return response;
        }
        ranges.push(request.headers["Range"]);
        if (cuts++ >= 2) return response;
        return {
          ...response,
          body: (async function* () {
            for await (const chunk of response.body) {
              yield chunk;
              throw Object.assign(new Error("cut"), { code: "ECONNRESET" });
            }
          })(),
        };
      });
      expect(Buffer.from(await readAll(repository("resume", cutting).fetch(layer))).equals(blob)).toBe(true);
      expect(ranges.filter((range) => range !== undefined)).toHaveLength(2);
    });

    test("push: what is there is one question", async () => {
      await repository("again").push(layer, content);
      events.length = 0;
      await repository("again").push(layer, content);
      expect(requests().map(({ method, status }) => `${method} ${status}`)).toEqual(["HEAD 200"]);
    });

    test("push: an image that is there with its tag is one question", async () => {
      const from = memoryStore();
      const root = await randomImage(from, 3);
      await copyImage(root, from, repository("twice"), { tags: ["v1"] });
      events.length = 0;
      await copyImage(root, from, repository("twice"), { tags: ["v1"] });
      expect(requests()).toHaveLength(1);
    });

    test("push: mounted from another repository, and not where that lacks it", async () => {
      await repository("mount/from").push(layer, content);
      expect(await repository("mount/to").mount(layer, "mount/from")).toBe(true);
      expect(await repository("mount/to").exists(layer)).toBe(true);
      const none = { ...layer, digest: digestOf("none") };
      expect(await repository("mount/to").mount(none, "mount/from")).toBe(false);
    });

    test("push: an empty blob", async () => {
      const empty = { ...layer, digest: digestOf(""), size: 0 };
      await repository("empty").push(empty, contentOf(new Uint8Array()));
      expect(await readAll(repository("empty").fetch(empty))).toHaveLength(0);
    });

    test("push: in pieces", async () => {
      await using pieces = registryClient({ ...setup.options, upload: { chunkSize: 40_000 } });
      await repository("pieces", pieces).push(layer, content);
      expect(Buffer.from(await readAll(repository("pieces").fetch(layer))).equals(blob)).toBe(true);
    });

    test.each([
      ["size", blob.subarray(1), "SIZE_MISMATCH"],
      ["digest", Buffer.from(blob).reverse(), "DIGEST_MISMATCH"],
    ])("push: content of a wrong %s is not taken", async (what, bytes, code) => {
      const wrong = replayable(() => contentOf(bytes));
      await expect(repository(`wrong/${what}`).push(layer, wrong)).rejects.toMatchObject({ code });
      expect(await repository(`wrong/${what}`).exists(layer)).toBe(false);
    });

    test("push: an answer that was lost is not a second upload", async () => {
      let lost = 0;
      await using losing = broken((request, response) => {
        const isUpload = request.method === "PUT" && request.url.includes("/uploads/");
        return isUpload && lost++ === 0 ? "lost" : response;
      });
      await repository("lost", losing).push(layer, content);
      expect(lost).toBe(1);
      expect(await repository("lost").exists(layer)).toBe(true);
    });

    test("push: every fifth answer lost, and all arrives", async () => {
      let count = 0;
      await using losing = broken((_, response) => (count++ % 5 === 4 ? "lost" : response));
      const from = memoryStore();
      const root = await randomImage(from, 9, { layers: 5 });
      await copyImage(root, from, repository("losing", losing), { tags: ["v1"] });
      await validateImage(root, repository("losing"));
    });

    test("push: a manifest with a subject is found as its referrer", async () => {
      const from = memoryStore();
      const subject = await randomImage(from, 11);
      await copyImage(subject, from, repository("subject"));
      const config = await from.ingest(MediaType.ociEmpty, contentOf(Buffer.from("{}")));
      const bytes = encodeJson({
        schemaVersion: 2,
        mediaType: MediaType.ociManifest,
        artifactType: "application/x.test",
        config,
        layers: [],
        subject,
      });
      const referrer = await from.ingest(MediaType.ociManifest, contentOf(bytes));
      await repository("subject").push(config, from.fetch(config));
      await repository("subject").push(referrer, from.fetch(referrer));
      const found: string[] = [];
      for await (const it of repository("subject").referrers(subject.digest, {
        artifactType: "application/x.test",
      })) {
        found.push(it.digest);
      }
      expect(found).toEqual([referrer.digest]);
      for await (const it of repository("subject").referrers(subject.digest, { artifactType: "a/other" })) {
        throw new Error(it.digest);
      }
    });

    test("lists: all tags, one after the other", async () => {
      const from = memoryStore();
      const root = await randomImage(from, 5);
      await copyImage(root, from, repository("tags"));
      const tags = Array.from({ length: 20 }, (_, index) => `t${index}`);
      await repository("tags").tagAll(root, tags);
      const found: string[] = [];
      for await (const tag of repository("tags").tags()) found.push(tag);
      expect(found.toSorted()).toEqual(tags.toSorted());
    });

    // The test's own tokens for docker-registry are for pull and push.
    describe.skipIf(name.includes("docker-registry, behind"))("where it applies", () => {
      test("delete: a manifest, and then it is not there", async () => {
        const from = memoryStore();
        const root = await randomImage(from, 6);
        await copyImage(root, from, repository("delete"));
        expect(await repository("delete").delete(root)).toBe(true);
        expect(await repository("delete").exists(root)).toBe(false);
        expect(await repository("delete").delete(root)).toBe(false);
      });
    });

    test("transport: a context that has ended asks nothing", async () => {
      events.length = 0;
      const signal = AbortSignal.abort(new Error("ended"));
      await expect(repository("a").push(layer, content, { signal })).rejects.toThrow("ended");
      await expect(repository("a").resolve("1", { signal })).rejects.toThrow("ended");
      expect(requests()).toEqual([]);
    });

    describe.skipIf(!name.includes("TLS"))("where it applies", () => {
      test("transport: a private authority is not trusted untold", async () => {
        await using untold = registryClient({ credentials: "anonymous" });
        await expect(repository("a", untold).resolve("1")).rejects.toMatchObject({
          code: "REGISTRY_UNTRUSTED",
        });
      });
    });
  });
}
