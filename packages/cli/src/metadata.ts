import { randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import type { BuiltImage } from "@undocked/core";
import { UndockedError } from "@undocked/registry";

interface Files {
  readonly metadataFile?: string;
  readonly iidFile?: string;
}

/** Writes the result for other programs, with the keys of `docker buildx build --metadata-file`. */
export async function writeMetadata(image: BuiltImage, files: Files): Promise<void> {
  if (files.metadataFile !== undefined) {
    const metadata = {
      "buildx.build.warnings": image.warnings,
      "containerimage.config.digest": image.manifest.config.digest,
      "containerimage.descriptor": image.root,
      "containerimage.digest": image.digest,
      ...(image.tags.length === 0 ? {} : { "image.name": image.tags.join(",") }),
    };
    await writeWhole(files.metadataFile, `${JSON.stringify(metadata, null, 2)}\n`);
  }
  if (files.iidFile !== undefined) await writeWhole(files.iidFile, image.manifest.config.digest);
}

/** Beside, then in place: no reader sees a half. */
async function writeWhole(path: string, text: string): Promise<void> {
  const beside = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(beside, text);
    await rename(beside, path);
  } catch (cause) {
    await rm(beside, { force: true });
    throw new UndockedError("OUTPUT_UNWRITABLE", `${path} cannot be written: ${String(cause)}.`, {
      hint: "Name a path whose directory can be written.",
      cause,
    });
  }
}
