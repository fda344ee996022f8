import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import {
  contentOf,
  copyImage,
  digestOf,
  encodeJson,
  MediaType,
  memoryStore,
  readAll,
  registryClient,
  replayable,
  type Descriptor,
  type RegistryClient,
  type RegistryEvent,
} from "@undocked/registry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDockerRegistry, type DockerRegistry } from "../support/docker-registry.ts";
import { randomImage } from "../support/random-image.ts";
import { certificateAuthority } from "../support/tls.ts";
import { startTokenService } from "../support/token-service.ts";
import { lacks } from "../support/tools.ts";

function described(mediaType: string, bytes: Uint8Array): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
}

describe.skipIf(lacks("docker-registry"))("Debian's docker-registry, plain", () => {
  let registry: DockerRegistry;
  let client: RegistryClient;
  const events: RegistryEvent[] = [];
  beforeAll(async () => {
    registry = await startDockerRegistry();
    client = registryClient({ credentials: "anonymous", onEvent: (event) => events.push(event) });
  });
  afterAll(async () => {
    await client[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  test("an image goes up, is tagged, and comes down as it was", async () => {
    const repository = client.repository(`${registry.host}/a/b`);
    const layer = randomBytes(3_000_000);
    const config = encodeJson({
      architecture: "amd64",
      os: "linux",
      rootfs: { type: "layers", diff_ids: [] },
    });
    const layerDescriptor = described(MediaType.ociLayerGzip, layer);
    const configDescriptor = described(MediaType.ociConfig, config);
    const manifest = encodeJson({
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: configDescriptor,
      layers: [layerDescriptor],
    });
    const root = described(MediaType.ociManifest, manifest);
    expect(await repository.exists(layerDescriptor)).toBe(false);
    await repository.push(
      layerDescriptor,
      replayable(() => contentOf(layer)),
    );
    await repository.push(configDescriptor, contentOf(config));
    await repository.push(root, contentOf(manifest));
    await repository.tag(root, "1.0");

    expect(await repository.resolve("1.0")).toEqual(root);
    expect(await repository.resolve(root.digest)).toEqual(root);
    expect(Buffer.from(await readAll(repository.fetch(layerDescriptor))).equals(layer)).toBe(true);
    expect(Buffer.from(await readAll(repository.fetch(root))).equals(Buffer.from(manifest))).toBe(true);
    const fetched = await repository.fetchManifest("1.0");
    expect(fetched.descriptor).toEqual(root);
    expect(fetched.document.kind).toBe("manifest");

    const other = client.repository(`${registry.host}/c`);
    expect(await other.mount(layerDescriptor, "a/b")).toBe(true);
    expect(await other.exists(layerDescriptor)).toBe(true);
    expect(await other.mount(described(MediaType.ociLayer, randomBytes(3)), "a/b")).toBe(false);
  });

  test("what is there is not sent again, and a tag that stands is not set again", async () => {
    const repository = client.repository(`${registry.host}/again`);
    const blob = randomBytes(1000);
    const descriptor = described(MediaType.ociLayer, blob);
    await repository.push(descriptor, contentOf(blob));
    events.length = 0;
    await repository.push(descriptor, contentOf(blob));
    expect(events.map((event) => event.kind === "request" && `${event.method} ${event.status}`)).toEqual([
      "HEAD 200",
    ]);
  });

  test("what is not there has the specification's code", async () => {
    const repository = client.repository(`${registry.host}/a/b`);
    const missing = described(MediaType.ociLayer, randomBytes(3));
    await expect(readAll(repository.fetch(missing))).rejects.toMatchObject({
      code: "BLOB_UNKNOWN",
      status: 404,
    });
    const noManifest = described(MediaType.ociManifest, randomBytes(3));
    await expect(readAll(repository.fetch(noManifest))).rejects.toMatchObject({ code: "MANIFEST_UNKNOWN" });
    await expect(repository.resolve("none")).rejects.toMatchObject({ code: "MANIFEST_UNKNOWN" });
  });

  test("an empty blob goes up and down", async () => {
    const repository = client.repository(`${registry.host}/empty`);
    const empty = described(MediaType.ociLayer, new Uint8Array());
    await repository.push(empty, contentOf(new Uint8Array()));
    expect(await readAll(repository.fetch(empty))).toHaveLength(0);
  });
});

describe.skipIf(lacks("docker-registry"))(
  "Debian's docker-registry, behind TLS with a private authority",
  () => {
    const authority = certificateAuthority();
    const blob = randomBytes(200_000);
    const layer = described(MediaType.ociLayerGzip, blob);

    test("and a token service: anonymous pulls, pushes with a login, mounts with a token for both", async () => {
      await using tokens = await startTokenService({
        signer: authority.issue("signer"),
        tls: authority.issue("127.0.0.1"),
        issuer: "undocked-test",
        users: { user: "CANARY:pässword" },
      });
      await using registry = await startDockerRegistry({
        tls: authority.issue("127.0.0.1"),
        auth: {
          kind: "token",
          realm: `${tokens.url}/token`,
          service: "test-registry",
          issuer: "undocked-test",
          rootCertificate: authority.cert,
        },
      });
      await using client = registryClient({
        ca: authority.cert,
        credentials: { [registry.host]: { username: "user", password: "CANARY:pässword" } },
      });
      const source = client.repository(`${registry.host}/public/a`);
      await source.push(layer, contentOf(blob));
      expect(await client.repository(`${registry.host}/b`).mount(layer, "public/a")).toBe(true);
      expect(tokens.requests.map(({ query }) => query.getAll("scope"))).toEqual([
        ["repository:public/a:pull"],
        ["repository:public/a:pull,push"],
        ["repository:b:pull,push", "repository:public/a:pull"],
      ]);

      // No such blob there: the registry opens an upload, and gives none up for those who may not delete.
      const told: RegistryEvent[] = [];
      await using watched = registryClient({
        ca: authority.cert,
        credentials: { [registry.host]: { username: "user", password: "CANARY:pässword" } },
        onEvent: (event) => told.push(event),
      });
      const from = memoryStore();
      await copyImage(await randomImage(from, 1), from, watched.repository(`${registry.host}/c`), {
        mountFrom: () => "public/none",
      });
      const methods = (): string[] => told.flatMap((event) => (event.kind === "request" ? event.method : []));
      expect(methods()).not.toContain("DELETE");
      expect(await watched.repository(`${registry.host}/d`).mount(layer, "public/none")).toBe(false);
      expect(methods()).toContain("DELETE");
      expect(told.filter(({ kind }) => kind === "retry" || kind === "warning")).toEqual([]);

      await using anonymous = registryClient({ ca: authority.cert, credentials: "anonymous" });
      const pulled = await readAll(anonymous.repository(`${registry.host}/public/a`).fetch(layer));
      expect(Buffer.from(pulled).equals(blob)).toBe(true);
      await expect(readAll(anonymous.repository(`${registry.host}/b`).fetch(layer))).rejects.toMatchObject({
        code: "UNAUTHORIZED",
      });

      await using wrong = registryClient({
        ca: authority.cert,
        credentials: { [registry.host]: { username: "user", password: "WRONG" } },
      });
      const error = await wrong
        .repository(`${registry.host}/b`)
        .resolve("1")
        .catch((it: unknown) => it);
      expect(error).toMatchObject({ code: "UNAUTHORIZED", status: 401 });
      expect(inspect(error, { depth: Number.POSITIVE_INFINITY })).not.toContain("WRONG");
    });

    test("and Basic, with a password in UTF-8 that has a colon", async () => {
      await using registry = await startDockerRegistry({
        tls: authority.issue("127.0.0.1"),
        // bcrypt of "päss:word"
        auth: {
          kind: "htpasswd",
          users: "user:$2b$04$PbdLpeKwQAuglIVtJDlGpee917gj/Yxrc3HtAADiipIpe/zwoBjoa\n",
        },
      });
      await using client = registryClient({
        hosts: { [registry.host]: { ca: authority.cert } },
        credentials: async () => ({ username: "user", password: "päss:word" }),
      });
      const repository = client.repository(`${registry.host}/a`);
      await repository.push(layer, contentOf(blob));
      expect(Buffer.from(await readAll(repository.fetch(layer))).equals(blob)).toBe(true);
    });

    test("is not trusted by those who were not told, and not spoken to in plain http instead", async () => {
      await using registry = await startDockerRegistry({ tls: authority.issue("127.0.0.1") });
      const events: RegistryEvent[] = [];
      await using client = registryClient({
        credentials: "anonymous",
        onEvent: (event) => events.push(event),
      });
      await expect(client.repository(`${registry.host}/a`).resolve("1")).rejects.toMatchObject({
        code: "REGISTRY_UNTRUSTED",
      });
      expect(events).toEqual([]);
      await using careless = registryClient({
        credentials: "anonymous",
        hosts: { [registry.host]: { insecure: true } },
      });
      await expect(careless.repository(`${registry.host}/a`).resolve("1")).rejects.toMatchObject({
        code: "MANIFEST_UNKNOWN",
      });
    });

    test("in pieces, listed and deleted", async () => {
      await using registry = await startDockerRegistry({ tls: authority.issue("127.0.0.1") });
      await using client = registryClient({
        ca: authority.cert,
        credentials: "anonymous",
        upload: { chunkSize: 60_000 },
      });
      const repository = client.repository(`${registry.host}/a`);
      await repository.push(layer, contentOf(blob));
      expect(Buffer.from(await readAll(repository.fetch(layer))).equals(blob)).toBe(true);
      const config = encodeJson({});
      const configDescriptor = described(MediaType.ociEmpty, config);
      await repository.push(configDescriptor, contentOf(config));
      const manifest = encodeJson({
        schemaVersion: 2,
        mediaType: MediaType.ociManifest,
        config: configDescriptor,
        layers: [layer],
      });
      const root = described(MediaType.ociManifest, manifest);
      await repository.push(root, contentOf(manifest));
      for (const tag of ["b", "a", "c"]) await repository.tag(root, tag);
      const tags: string[] = [];
      for await (const tag of repository.tags()) tags.push(tag);
      expect(tags.sort()).toEqual(["a", "b", "c"]);
      expect(await repository.delete(root)).toBe(true);
      expect(await repository.exists(root)).toBe(false);
      expect(await repository.delete(layer)).toBe(true);
    });

    test("an abort in the middle of an upload leaves no session", async () => {
      await using registry = await startDockerRegistry({ tls: authority.issue("127.0.0.1") });
      await using client = registryClient({ ca: authority.cert, credentials: "anonymous" });
      const stop = new AbortController();
      const content = replayable(async function* () {
        yield blob.subarray(0, 100_000);
        stop.abort(new Error("enough"));
        yield blob.subarray(100_000);
      });
      const repository = client.repository(`${registry.host}/a`);
      await expect(repository.push(layer, content, { signal: stop.signal })).rejects.toThrow("enough");
      const uploads = join(registry.directory, "data/docker/registry/v2/repositories/a/_uploads");
      // The state of its hash is all that docker-registry itself leaves of a session that was given up.
      const left = await readdir(uploads, { recursive: true }).catch(() => []);
      expect(left.filter((path) => /(?:data|startedat)$/.test(path))).toEqual([]);
    });
  },
);
