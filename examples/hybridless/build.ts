import { fileURLToPath } from "node:url";
import { buildImage, type BuildOptions } from "@undocked/core";

/** The event of serverless.yml, as far as an image depends on it. */
const event = {
  dockerFile: "/config/CustomDockerFile",
  entrypoint: "/bin/abc -d",
  additionalDockerFiles: [
    { from: "/src", to: "/application" },
    { from: "/config/additionalFilesDir", to: "/includes" },
    { from: "/config/license.json", to: "/license.json" },
  ],
};

/**
 * Builds the image of the event `ProcessABC`. Without options it takes the base from public.ecr.aws and pushes nothing.
 *
 * @param options - added to the event's: tags to push to, outputs, credentials, where the base comes from
 */
export function buildProcess(options: BuildOptions = {}): ReturnType<typeof buildImage> {
  return buildImage({
    project: fileURLToPath(new URL(".", import.meta.url)),
    dockerfile: event.dockerFile,
    files: event.additionalDockerFiles,
    entrypoint: event.entrypoint,
    ...options,
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [reference] = process.argv.slice(2);
  const image = await buildProcess(reference === undefined ? {} : { tags: [reference], push: true });
  for (const warning of image.warnings) console.error(`warning: ${warning.message}`);
  console.log(image.digest);
}
