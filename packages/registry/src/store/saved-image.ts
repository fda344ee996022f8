import { z } from "zod";
import { FormatError } from "../errors.ts";
import { parseJson } from "../oci/json.ts";
import { manifestSizeLimit } from "../oci/manifest.ts";
import { familiarReference, parseReference } from "../oci/reference.ts";

/** One image in the `manifest.json` of `docker save`; the keys are Docker's, the values paths in the archive. */
export interface SavedImage {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

const schema: z.ZodType<readonly SavedImage[]> = z.array(
  z.looseObject({
    Config: z.string(),
    RepoTags: z.preprocess((value) => value ?? null, z.array(z.string()).nullable()),
    Layers: z.array(z.string()),
  }),
);

/** @throws {FormatError} `LAYOUT_INVALID` */
export function parseSavedImages(bytes: Uint8Array, place: string): readonly SavedImage[] {
  const result = schema.safeParse(parseJson(bytes, manifestSizeLimit, "LAYOUT_INVALID", place));
  if (result.success) return result.data;
  throw new FormatError("LAYOUT_INVALID", `${place} does not have the form that docker save writes.`, {
    cause: result.error,
  });
}

/** A reference as docker writes it into an archive, with a tag: `app:1.0`. @throws {FormatError} `REFERENCE_INVALID` */
export function savedName(reference: string): string {
  const { registry, repository, tag = "latest" } = parseReference(reference);
  return familiarReference({ registry, repository, tag });
}

/** Whether two names mean the same image, as `app` and `docker.io/library/app:latest` do. */
export function isSameName(one: string, other: string): boolean {
  try {
    return one === other || savedName(one) === savedName(other);
  } catch (error) {
    // What is in an archive need not be a reference: it has then only the one spelling.
    if (error instanceof FormatError) return false;
    throw error;
  }
}
