import type { BuiltImage } from "@undocked/core";
import { UndockedError } from "@undocked/registry";
import { writeWholeFile } from "@undocked/registry/files";

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
    await writeFile(files.metadataFile, `${JSON.stringify(metadata, null, 2)}\n`);
  }
  if (files.iidFile !== undefined) await writeFile(files.iidFile, image.manifest.config.digest);
}

async function writeFile(path: string, text: string): Promise<void> {
  try {
    await writeWholeFile(path, text);
  } catch (cause) {
    throw new UndockedError("OUTPUT_UNWRITABLE", `${path} cannot be written: ${String(cause)}.`, {
      hint: "Name a path whose directory can be written.",
      cause,
    });
  }
}
