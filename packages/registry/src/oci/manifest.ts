import { z } from "zod";
import { FormatError } from "../errors.ts";
import { parseJson } from "./json.ts";
import { descriptorSchema, type Descriptor } from "./descriptor.ts";
import { isIndexType, isManifestType, MediaType } from "./media-type.ts";
import { repeatedKey } from "./repeated-key.ts";

/** One image, or an artifact in an image's form (image-spec, manifest.md; Docker schema 2). */
export interface Manifest {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Several manifests, one a platform (image-spec, image-index.md; Docker's manifest list). */
export interface Index {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What a document of a registry is: a manifest or an index. */
export type ManifestDocument =
  | { readonly kind: "manifest"; readonly mediaType: string; readonly manifest: Manifest }
  | { readonly kind: "index"; readonly mediaType: string; readonly index: Index };

/** Bytes of a manifest that a registry must at least take (distribution-spec, "Pushing Manifests"), and that we read at most. */
export const manifestSizeLimit: number = 4 * 1024 * 1024;

const common = {
  schemaVersion: z.literal(2),
  mediaType: z.string().exactOptional(),
  artifactType: z.string().exactOptional(),
  subject: descriptorSchema.exactOptional(),
  annotations: z.record(z.string(), z.string()).exactOptional(),
};
// Go writes an empty list as null: BuildKit does for an image without layers.
const descriptors = z.preprocess((value) => (value === null ? [] : value), z.array(descriptorSchema));
const manifestSchema: z.ZodType<Manifest> = z.looseObject({
  ...common,
  config: descriptorSchema,
  layers: descriptors,
});
const indexSchema: z.ZodType<Index> = z.looseObject({ ...common, manifests: descriptors });

/**
 * Reads a manifest or an index. The type is the document's own `mediaType`; where it has none, the server's, or what its
 * fields say.
 *
 * A document that is both at once is refused (CVE-2021-41190), and one whose type is not the one it was served with.
 *
 * @param servedType - the Content-Type or the descriptor's media type, without parameters
 * @throws {FormatError} `MANIFEST_INVALID`
 */
export function parseManifestDocument(bytes: Uint8Array, servedType?: string): ManifestDocument {
  const json = parseJson(bytes, manifestSizeLimit, "MANIFEST_INVALID", "The manifest");
  const twice = repeatedKey(new TextDecoder().decode(bytes));
  if (twice !== undefined) {
    throw new FormatError("MANIFEST_INVALID", `The manifest has the key ${JSON.stringify(twice)} twice.`);
  }
  const fields = z.looseObject({}).safeParse(json).data ?? {};
  const looksLikeIndex = "manifests" in fields;
  if (looksLikeIndex && ("layers" in fields || "config" in fields)) {
    throw new FormatError("MANIFEST_INVALID", "The document is a manifest and an index at once.", {
      hint: "Ask the image's publisher: such a document means different images to different tools.",
    });
  }
  if (fields["schemaVersion"] === 1) {
    throw new FormatError(
      "MANIFEST_INVALID",
      "The manifest has schema version 1, which no longer names content by digest.",
      {
        hint: "Push the image again with a current tool; it will be schema 2 or OCI.",
      },
    );
  }
  const own = typeof fields["mediaType"] === "string" ? fields["mediaType"] : undefined;
  const known = (type: string | undefined): string | undefined =>
    type !== undefined && (isIndexType(type) || isManifestType(type)) ? type : undefined;
  if (known(own) !== undefined && known(servedType) !== undefined && own !== servedType) {
    throw new FormatError(
      "MANIFEST_INVALID",
      `The manifest says ${String(own)}, but was served as ${String(servedType)}.`,
    );
  }
  const mediaType = own ?? known(servedType) ?? (looksLikeIndex ? MediaType.ociIndex : MediaType.ociManifest);
  if (known(mediaType) === undefined) {
    throw new FormatError("MANIFEST_INVALID", `The media type ${mediaType} is no manifest's and no index's.`);
  }
  if (isIndexType(mediaType) !== looksLikeIndex) {
    throw new FormatError(
      "MANIFEST_INVALID",
      `The media type is ${mediaType}, but the fields are ${looksLikeIndex ? "an index's" : "a manifest's"}.`,
    );
  }
  return looksLikeIndex
    ? { kind: "index", mediaType, index: checked(indexSchema, json) }
    : { kind: "manifest", mediaType, manifest: checked(manifestSchema, json) };
}

function checked<T>(schema: z.ZodType<T>, json: unknown): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  throw new FormatError(
    "MANIFEST_INVALID",
    `The manifest does not have its form: ${describeIssues(result.error)}`,
  );
}

/** Each wrong field with its path. */
export function describeIssues(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.map(String).join(".") || "document"}: ${issue.message}`)
    .join("; ");
}

/** Everything a manifest or an index points to, in order: what has to be there before it. */
export function children(document: ManifestDocument): readonly Descriptor[] {
  return document.kind === "index"
    ? document.index.manifests
    : [document.manifest.config, ...document.manifest.layers];
}
