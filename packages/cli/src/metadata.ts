import type { BuiltImage, PlatformImage } from "@undocked/core";
import { formatPlatform, UndockedError } from "@undocked/registry";
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
      // Of an index there is none, as with buildx.
      ...(image.index === undefined ? { "containerimage.config.digest": image.manifest.config.digest } : {}),
      "containerimage.descriptor": image.root,
      "containerimage.digest": image.digest,
      ...(image.tags.length === 0 ? {} : { "image.name": image.tags.join(",") }),
      ...(image.index === undefined ? {} : { "undocked.platforms": image.images.map(platformMetadata) }),
    };
    await writeFile(files.metadataFile, `${JSON.stringify(metadata, null, 2)}\n`);
  }
  const id = image.index === undefined ? image.manifest.config.digest : image.digest;
  if (files.iidFile !== undefined) await writeFile(files.iidFile, id);
}

function platformMetadata({ platform, root, manifest }: PlatformImage): object {
  return {
    platform: formatPlatform(platform),
    "containerimage.config.digest": manifest.config.digest,
    "containerimage.descriptor": root,
    "containerimage.digest": root.digest,
  };
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
