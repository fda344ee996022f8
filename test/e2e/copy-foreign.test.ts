import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import {
  contentOf,
  digestOf,
  encodeJson,
  MediaType,
  ociLayout,
  readAll,
  registryClient,
  type Descriptor,
} from "@undocked/registry";
import { startRegistry } from "@undocked/registry/server";
import { afterEach, beforeEach, expect, test } from "vitest";
import { mainIn } from "../support/main-in.ts";
import { scriptedServer } from "../support/scripted-server.ts";

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "undocked-foreign-"))));
afterEach(() => rmSync(directory, { recursive: true }));

test("copy takes layers that must not be distributed along only if it is told to", async () => {
  const bytes = randomBytes(1000);
  await using elsewhere = await scriptedServer((_, response) => void response.end(bytes));
  await using registry = await startRegistry();
  await using client = registryClient({ credentials: "anonymous" });
  const repository = client.repository(`${registry.host}/a`);
  const config = await repository.ingest(
    MediaType.ociConfig,
    contentOf(
      Buffer.from(
        encodeJson({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } }),
      ),
    ),
  );
  const foreign: Descriptor = {
    mediaType: MediaType.dockerForeignLayerGzip,
    digest: digestOf(bytes),
    size: bytes.byteLength,
    urls: [`${elsewhere.url}/layer`],
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.dockerManifest,
    config: { ...config, mediaType: MediaType.dockerConfig },
    layers: [foreign],
  };
  const root = await repository.ingest(
    MediaType.dockerManifest,
    contentOf(Buffer.from(encodeJson(manifest))),
  );
  await repository.tag(root, "1");
  const source = `${registry.host}/a:1`;

  expect((await mainIn(directory, ["copy", "-q", source, "oci:without"])).code).toBe(0);
  expect(await ociLayout(join(directory, "without")).exists(foreign)).toBe(false);
  expect(elsewhere.requests).toEqual([]);

  expect((await mainIn(directory, ["copy", "-q", "--foreign-layers", source, "oci:with"])).code).toBe(0);
  const copied = await readAll(ociLayout(join(directory, "with")).fetch(foreign));
  expect(Buffer.from(copied).equals(bytes)).toBe(true);
  expect(elsewhere.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
});
