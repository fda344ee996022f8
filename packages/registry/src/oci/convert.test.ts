import { describe, expect, test } from "vitest";
import { convertManifest, hasTypes } from "./convert.ts";
import type { Descriptor } from "./descriptor.ts";
import { digestOf } from "./digest.ts";
import { encodeJson } from "./json.ts";
import { parseManifestDocument, type ManifestDocument } from "./manifest.ts";
import { MediaType } from "./media-type.ts";

const blob = (mediaType: string, text: string): Descriptor => ({
  mediaType,
  digest: digestOf(text),
  size: text.length,
});
const document = (value: object): ManifestDocument =>
  parseManifestDocument(encodeJson({ schemaVersion: 2, ...value }));
const json = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));

const ociImage = document({
  mediaType: MediaType.ociManifest,
  config: blob(MediaType.ociConfig, "config"),
  layers: [blob(MediaType.ociLayerGzip, "one"), blob(MediaType.ociLayer, "two")],
});
const dockerImage = document({
  mediaType: MediaType.dockerManifest,
  config: blob(MediaType.dockerConfig, "config"),
  layers: [blob(MediaType.dockerLayerGzip, "one"), blob(MediaType.dockerLayer, "two")],
});

describe("convertManifest", () => {
  test("gives an OCI image Docker's types, and nothing else", () => {
    expect(json(convertManifest(ociImage, "docker"))).toEqual(
      dockerImage.kind === "manifest" && dockerImage.manifest,
    );
  });

  test("gives a Docker image OCI's types, and nothing else", () => {
    expect(json(convertManifest(dockerImage, "oci"))).toEqual(
      ociImage.kind === "manifest" && ociImage.manifest,
    );
  });

  test("gives back what it was given, there and back again", () => {
    const there = parseManifestDocument(convertManifest(dockerImage, "oci"));
    expect(convertManifest(there, "docker")).toEqual(convertManifest(dockerImage, "docker"));
  });

  test("points an index to the converted manifests, for the same platforms", () => {
    const platform = { os: "linux", architecture: "arm64" };
    const old = { ...blob(MediaType.dockerManifest, "old"), platform };
    const index = document({ mediaType: MediaType.dockerManifestList, manifests: [old] });
    const made = blob(MediaType.ociManifest, "converted");
    expect(json(convertManifest(index, "oci", new Map([[old.digest, made]])))).toEqual({
      schemaVersion: 2,
      mediaType: MediaType.ociIndex,
      manifests: [{ ...made, platform }],
    });
  });

  test("keeps fields that it does not know for OCI, and leaves annotations out for Docker", () => {
    const annotated = document({
      mediaType: MediaType.ociManifest,
      config: blob(MediaType.dockerConfig, "config"),
      layers: [{ ...blob(MediaType.ociLayer, "one"), annotations: { a: "b" } }],
      annotations: { c: "d" },
      custom: 1,
    });
    expect(json(convertManifest(annotated, "oci"))).toMatchObject({
      config: { mediaType: MediaType.ociConfig },
      layers: [{ annotations: { a: "b" } }],
      annotations: { c: "d" },
      custom: 1,
    });
    expect(json(convertManifest(annotated, "docker"))).toEqual({
      schemaVersion: 2,
      mediaType: MediaType.dockerManifest,
      config: blob(MediaType.dockerConfig, "config"),
      layers: [blob(MediaType.dockerLayer, "one")],
    });
  });

  const image = { mediaType: MediaType.ociManifest, config: blob(MediaType.ociConfig, "config"), layers: [] };
  test.each([
    ["a zstd layer", { ...image, layers: [blob(MediaType.ociLayerZstd, "one")] }],
    ["another configuration", { ...image, config: blob("application/vnd.helm.config.v1+json", "config") }],
    ["an artifact", { ...image, artifactType: "a/b" }],
    ["a subject", { ...image, subject: blob(MediaType.ociManifest, "subject") }],
  ])("says that Docker's types have no %s", (_, value) => {
    expect(() => convertManifest(document(value), "docker")).toThrow(
      expect.objectContaining({ code: "MANIFEST_INVALID" }),
    );
  });
});

test.each([
  ["an OCI image", ociImage, true, false],
  ["a Docker image", dockerImage, false, true],
])("%s has its types already", (_, document, oci, docker) => {
  expect([hasTypes(document, "oci"), hasTypes(document, "docker")]).toEqual([oci, docker]);
});
