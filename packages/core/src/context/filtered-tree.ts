import { joinPath } from "./path.ts";
import type { SourceTree } from "./source-tree.ts";

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

  function isVisible(path: string): boolean {
    let visible = path === "/" ? true : known.get(path);
    if (visible === undefined) {
      visible = !rules.ignores(path.slice(1)) || hasVisible(path);
      known.set(path, visible);
    }
    return visible;
  }

  function hasVisible(directory: string): boolean {
    return rules.reincludes !== false && visibleIn(directory).length > 0;
  }

  /** Without a look at what the names are: what is ignored may be of a kind that is refused. */
  function visibleIn(directory: string, names: Pick<SourceTree, "list"> = tree): string[] {
    return names.list(directory).filter((name) => isVisible(joinPath(directory, name)));
  }

  const { glance } = tree;
  return {
    ...tree,
    ...(glance === undefined
      ? {}
      : {
          glance: {
            list: (path) => (isVisible(path) ? visibleIn(path, glance) : []),
            look: (path) => (isVisible(path) ? glance.look(path) : undefined),
          },
        }),
    lstat: (path) => (isVisible(path) ? tree.lstat(path) : undefined),
    list: (path) => (isVisible(path) ? visibleIn(path) : []),
  };
}
