import { randomBytes } from "node:crypto";
import {
  contentOf,
  digestOf,
  encodeJson,
  MediaType,
  readAll,
  registryClient,
  replayable,
  type Descriptor,
  type RegistryClient,
  type RegistryEvent,
} from "@undocked/registry";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDockerRegistry, type DockerRegistry } from "../support/docker-registry.ts";
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
