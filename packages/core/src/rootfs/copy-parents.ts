import { filteredTree } from "../context/filtered-tree.ts";
import { cleanPath, isWithin, joinPath, parentPath } from "../context/path.ts";
import { resolveInside } from "../context/resolve.ts";
import { subTree } from "../context/sub-tree.ts";
import { walkTree, type SourceTree } from "../context/source-tree.ts";
import type { Copier } from "./copier.ts";
import type { CopyStep } from "./copy-step.ts";
import { hasWildcard, matchingPaths, missing } from "./copy-sources.ts";
import { makeDirectories } from "./directories.ts";

/**
 * `COPY --parents`: what the source names below its first `/./` is made again below the destination, with the attributes
 * of the directories on the way.
 */
export function copyParents(copier: Copier, tree: SourceTree, source: string, step: CopyStep): void {
  const { path: destination } = copier.changes.root.resolve(cleanPath(step.destination));
  makeDirectories(copier.changes, destination, copier.madeOnTheWay);
  const pivot = source.indexOf("/./");
  const above = cleanPath(pivot === -1 ? "/" : source.slice(0, pivot));
  const pattern = cleanPath(pivot === -1 ? source : source.slice(pivot + 2));
  const roots = hasWildcard(above) ? matchingPaths(tree, above, step.match) : [above];
  for (const root of roots) {
    const { path, node } = resolveInside(tree, root);
    if (node?.kind !== "directory") {
      if (hasWildcard(source)) continue;
      throw missing(tree, cleanPath(source));
    }
    const below = subTree(tree, path);
    const wanted = step.exclude === undefined ? below : filteredTree(below, step.exclude);
    const found = hasWildcard(pattern)
      ? matched(wanted, pattern, step)
      : [named(below, pattern, tree, source)];
    for (const match of found) copyWithParents(copier, wanted, match, destination);
  }
}

function named(below: SourceTree, pattern: string, tree: SourceTree, source: string): string {
  const { node, obstacle } = resolveInside(below, pattern);
  if (node === undefined || obstacle !== undefined) throw missing(tree, cleanPath(source));
  return pattern;
}

/** What matches; below a directory that does, everything is copied with it. */
function matched(tree: SourceTree, pattern: string, step: CopyStep): string[] {
  const matches = step.parents?.(pattern.slice(1)) ?? (() => false);
  const found: string[] = [];
  let whole: string | undefined;
  for (const { path, node } of walkTree(tree, "/")) {
    if ((whole !== undefined && isWithin(path, whole)) || !matches(path.slice(1))) continue;
    found.push(path);
    if (node.kind === "directory") whole = path;
  }
  return found;
}

function copyWithParents(copier: Copier, tree: SourceTree, path: string, destination: string): void {
  if (path !== "/") copyDirectoriesAbove(copier, tree, path, destination);
  const { path: real, node } = resolveInside(tree, path, { last: "keep" });
  if (node === undefined) return;
  const to = path === "/" ? destination : joinPath(destination, path.slice(1));
  if (path !== "/") copier.place(tree, real, node, to);
  if (node.kind === "directory") copier.contents(tree, real, to);
}

function copyDirectoriesAbove(copier: Copier, tree: SourceTree, path: string, destination: string): void {
  const above: string[] = [];
  for (let at = parentPath(path); at !== "/"; at = parentPath(at)) above.unshift(at);
  for (const directory of above) {
    const { path: real, node } = resolveInside(tree, directory);
    if (node !== undefined) copier.place(tree, real, node, joinPath(destination, directory.slice(1)));
  }
}
