import type { SourceTree } from "../context/source-tree.ts";

/** Characters of paths that are looked at beyond what the paths themselves take: a few seconds' work. */
const MOST = 2 ** 30;

/** What is looked at for a path without links, by its length; real paths have few components. */
const FREE = 64;

/**
 * Bounds what it costs to follow links. One path may lead through 40 links, each as long as a path, and a layer or an archive
 * may have a million of such paths.
 */
export interface LinkBudget {
  /** The tree, as long as there is something left for following the links of a path. */
  along(tree: Pick<SourceTree, "lstat">, path: string): Pick<SourceTree, "lstat">;
}

/** @param exhausted - what to throw when nothing is left */
export function linkBudget(exhausted: () => Error): LinkBudget {
  let left = MOST;
  return {
    along(tree, path) {
      let free = path.length * FREE;
      return {
        lstat(at) {
          free -= at.length;
          if (free < 0) left -= at.length;
          if (left < 0) throw exhausted();
          return tree.lstat(at);
        },
      };
    },
  };
}
