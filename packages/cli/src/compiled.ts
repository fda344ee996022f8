import { existsSync } from "node:fs";
import * as nodeModule from "node:module";
import { join } from "node:path";
import { cacheDirectory } from "@undocked/core";

/**
 * Has Node keep what it compiles of this command in the user's cache, where it can (22.1 and newer): to start takes less then.
 * Where no build has kept anything yet, nothing is kept.
 *
 * @param node - `node:module`
 */
export function keepCompiled(node: object = nodeModule): void {
  if (!("enableCompileCache" in node) || typeof node.enableCompileCache !== "function") return;
  try {
    const directory = cacheDirectory(undefined);
    if (existsSync(directory)) node.enableCompileCache(join(directory, "compiled"));
  } catch {
    // Nobody's home: the command works without.
  }
}
