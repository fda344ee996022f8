import type { SourceTree } from "./source-tree.ts";

/** What lies below a directory of a tree, as a tree of its own. */
export function subTree(tree: SourceTree, directory: string): SourceTree {
  if (directory === "/") return tree;
  const outer = (path: string): string => (path === "/" ? directory : `${directory}${path}`);
  return {
    lstat: (path) => tree.lstat(outer(path)),
    list: (path) => tree.list(outer(path)),
    open: (path) => tree.open(outer(path)),
    taken: (path) => tree.taken?.(outer(path)),
    ...(tree.missingHint === undefined ? {} : { missingHint: tree.missingHint }),
  };
}
