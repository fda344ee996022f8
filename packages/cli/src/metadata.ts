import type { BuiltImage, PlatformImage } from "@undocked/core";
import { formatPlatform } from "@undocked/registry";
import { checkFile, writeFile } from "./named-file.ts";

/** Where the result goes for other programs. */
export interface MetadataFiles {
  readonly metadataFile?: string;
  readonly iidFile?: string;
}

/**
 * Makes sure that the files can be written.
 *
 * @throws {UndockedError} `OUTPUT_UNWRITABLE`
 */
export async function checkMetadata({ metadataFile, iidFile }: MetadataFiles): Promise<void> {
  for (const path of [metadataFile, iidFile]) if (path !== undefined) await checkFile(path);
}

/** Writes the result for other programs, with the keys of `docker buildx build --metadata-file`. */
export async function writeMetadata(
  image: BuiltImage,
  files: MetadataFiles,
  signal: AbortSignal,
): Promise<void> {
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
    await writeFile(files.metadataFile, `${JSON.stringify(metadata, null, 2)}\n`, signal);
  }
  const id = image.index === undefined ? image.manifest.config.digest : image.digest;
  if (files.iidFile !== undefined) await writeFile(files.iidFile, id, signal);
}

function platformMetadata({ platform, root, manifest }: PlatformImage): object {
  return {
    platform: formatPlatform(platform),
    "containerimage.config.digest": manifest.config.digest,
    "containerimage.descriptor": root,
    "containerimage.digest": root.digest,
  };
}
