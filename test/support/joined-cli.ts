import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { buildCli } from "./cli.ts";

const packed = fileURLToPath(new URL("../../packages/cli/", import.meta.url));

/**
 * The command joined into a few files, as it is published, in a directory of its own: what is compiled later does not change it.
 *
 * @returns the file to start
 */
export async function joinCli(directory: string): Promise<string> {
  buildCli();
  mkdirSync(join(directory, "dist"), { recursive: true });
  copyFileSync(join(packed, "package.json"), join(directory, "package.json"));
  const bundle = await rolldown({ input: { undocked: join(packed, "dist/bin.js") }, platform: "node" });
  await bundle.write({ dir: join(directory, "dist"), format: "esm", entryFileNames: "[name].js" });
  await bundle.close();
  return join(directory, "dist/undocked.js");
}
