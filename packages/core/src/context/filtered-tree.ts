import { joinPath } from "./path.ts";
import type { SourceNode, SourceTree } from "./source-tree.ts";

/** What a `.dockerignore` says. */
export interface IgnoreRules {
  /** @param path - relative to the context's root: `a/b` */
  ignores(path: string): boolean;
  /** Whether something below an ignored directory can be taken in again (`!`). Default `true`, which is slower. */
  readonly reincludes?: boolean;
}

/**
 * A tree without what the rules ignore. An ignored directory is there all the same when something below it is taken in
 * again, as BuildKit has it.
 */
export function filteredTree(tree: SourceTree, rules: IgnoreRules): SourceTree {
  const known = new Map<string, boolean>();

  function isVisible(path: string, node: SourceNode): boolean {
    if (path === "/") return true;
    let visible = known.get(path);
    if (visible === undefined) {
      visible = !rules.ignores(path.slice(1)) || (node.kind === "directory" && hasVisible(path));
      known.set(path, visible);
    }
    return visible;
  }

  function hasVisible(directory: string): boolean {
    return (
      rules.reincludes !== false &&
      tree.list(directory).some((name) => lstat(joinPath(directory, name)) !== undefined)
    );
  }

  function lstat(path: string): SourceNode | undefined {
    const node = tree.lstat(path);
    return node !== undefined && isVisible(path, node) ? node : undefined;
  }

  return {
    ...tree,
    lstat,
    list: (path) => tree.list(path).filter((name) => lstat(joinPath(path, name)) !== undefined),
  };
}
