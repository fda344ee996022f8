import { expect, test } from "vitest";
import { encodeJson } from "./json.ts";
import { MediaType } from "./media-type.ts";
import { parseManifestDocument } from "./manifest.ts";

const config = { mediaType: MediaType.ociConfig, digest: `sha256:${"0".repeat(64)}`, size: 2 };

test("a list that Go wrote as null is empty", () => {
  const manifest = encodeJson({ schemaVersion: 2, mediaType: MediaType.ociManifest, config, layers: null });
  expect(parseManifestDocument(manifest)).toMatchObject({ kind: "manifest", manifest: { layers: [] } });
  const index = encodeJson({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: null });
  expect(parseManifestDocument(index)).toMatchObject({ kind: "index", index: { manifests: [] } });
});

test("a manifest without its layers is refused", () => {
  const manifest = encodeJson({ schemaVersion: 2, mediaType: MediaType.ociManifest, config });
  expect(() => parseManifestDocument(manifest)).toThrow(
    expect.objectContaining({ code: "MANIFEST_INVALID" }),
  );
});
