import { fileURLToPath } from "node:url";
import { buildImage, type BuildOptions } from "@undocked/core";
import { compile, type Language, type Linking } from "./compile.ts";

export interface ServerOptions extends BuildOptions {
  /** Default: C. */
  readonly language?: Language;
  /** Default: `static`. The build refuses the other. */
  readonly linking?: Linking;
}

const directory = fileURLToPath(new URL(".", import.meta.url));

/** Compiles the web server and builds the image around it: the program, its templates, and nothing else. */
export async function buildServer(
  options: ServerOptions = {},
): Promise<Awaited<ReturnType<typeof buildImage>>> {
  const { language = "c", linking = "static", ...rest } = options;
  const program = `out/${language}-${linking}/my-executable`;
  await compile(language, `${directory}${program}`, linking);
  return buildImage({
    project: directory,
    dockerfile: "Dockerfile",
    files: [
      { from: program, to: "my-executable" },
      { from: "templates", to: "templates" },
    ],
    ...rest,
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [language = "c", linking = "static"] = process.argv.slice(2);
  const image = await buildServer({
    language: language === "go" || language === "rust" ? language : "c",
    linking: linking === "dynamic" ? "dynamic" : "static",
    outputs: [{ type: "oci-layout", path: "out/image" }],
  });
  console.log(image.digest);
}
