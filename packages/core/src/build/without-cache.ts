import { realpathSync } from "node:fs";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { filteredTree } from "../context/filtered-tree.ts";
import type { SourceTree } from "../context/source-tree.ts";

/**
 * A directory's tree without the cache that lies in it: what a build writes itself is no input of it.
 *
 * @param directory - of the tree
 * @param cache - its directory, where there is one
 */
export function withoutCache(
  tree: SourceTree,
  directory: string,
  cache: string | false | undefined,
): SourceTree {
  if (cache === undefined || cache === false) return tree;
  const way = relative(realPath(directory), realPath(cache));
  const isInside = way !== "" && !isAbsolute(way) && way.split(sep)[0] !== "..";
  if (!isInside) return tree;
  const place = way.split(sep).join("/");
  const ignores = (path: string): boolean => path === place || path.startsWith(`${place}/`);
  return filteredTree(tree, { ignores, reincludes: false });
}

/** Without links, as far as it is there. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
