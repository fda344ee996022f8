import { filteredTree } from "../context/filtered-tree.ts";
import { cleanPath, isWithin, joinPath, parentPath } from "../context/path.ts";
import { resolveInside } from "../context/resolve.ts";
import { subTree } from "../context/sub-tree.ts";
import { walkTree, type SourceTree } from "../context/source-tree.ts";
import type { ChangeSet } from "./change-set.ts";
import { copierFor, type Copier } from "./copier.ts";
import type { CopyStep } from "./copy-step.ts";
import { hasWildcard, matchingPaths, missing } from "./copy-sources.ts";
import { makeDirectories } from "./directories.ts";

/**
 * `COPY --parents`: what the source names below its first `/./` is made again below the destination, with the attributes
 * of the directories on the way. Without a wildcard it has to be there, and by no way through a link.
 */
export function copyParents(changes: ChangeSet, tree: SourceTree, source: string, step: CopyStep): void {
  const { path: destination } = changes.root.resolve(cleanPath(step.destination));
  makeDirectories(changes, destination, copierFor(changes, step).madeOnTheWay);
  const pivot = source.indexOf("/./");
  const above = cleanPath(pivot === -1 ? "/" : source.slice(0, pivot));
  const pattern = cleanPath(pivot === -1 ? source : source.slice(pivot + 2));
  const roots = hasWildcard(above) ? matchingPaths(tree, above, step.match) : [above];
  for (const root of roots) {
    const { path, node } = resolveInside(tree, root);
    if (node === undefined && hasWildcard(pattern) && !hasWildcard(above)) {
      throw missing(tree, above, `lstat ${above}: no such file or directory`);
    }
    if (node?.kind !== "directory") {
      if (hasWildcard(source)) continue;
      throw missing(tree, cleanPath(source));
    }
    const below = subTree(tree, path);
    const wanted = step.exclude === undefined ? below : filteredTree(below, step.exclude);
    const found = hasWildcard(pattern) ? matched(wanted, pattern, step) : named(wanted, pattern);
    const isPlain = path === root && found.length > 0;
    if (!isPlain && !hasWildcard(source)) throw missing(tree, cleanPath(source));
    const copier = copierFor(changes, step);
    const made = new Set<string>();
    for (const match of found) copyWithParents(copier, wanted, match, destination, made);
  }
}

/** A name without a wildcard, if it is there: links on its way are not followed, and the root itself has no name. */
function named(tree: SourceTree, path: string): string[] {
  const { path: real, node, obstacle } = resolveInside(tree, path, { last: "keep" });
  return path === "/" || real !== path || node === undefined || obstacle !== undefined ? [] : [path];
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

/** @param made - where directories above what was copied earlier went */
function copyWithParents(
  copier: Copier,
  tree: SourceTree,
  path: string,
  destination: string,
  made: Set<string>,
): void {
  if (path !== "/") copyDirectoriesAbove(copier, tree, path, destination, made);
  const { path: real, node } = resolveInside(tree, path, { last: "keep" });
  if (node === undefined) return;
  const to = path === "/" ? destination : joinPath(destination, path.slice(1));
  if (path !== "/") copier.place(tree, real, node, to);
  if (node.kind === "directory") copier.contents(tree, real, to);
}

/** What is there keeps its owner, and takes the source's mode as it is. */
function copyDirectoriesAbove(
  copier: Copier,
  tree: SourceTree,
  path: string,
  destination: string,
  made: Set<string>,
): void {
  const above: string[] = [];
  for (let at = parentPath(path); at !== "/"; at = parentPath(at)) above.unshift(at);
  for (const directory of above) {
    const { path: real, node } = resolveInside(tree, directory);
    const to = joinPath(destination, directory.slice(1));
    if (node === undefined || made.has(to)) continue;
    made.add(to);
    const there = copier.changes.root.lstat(to);
    if (there?.kind === "directory") copier.changes.put(to, { ...there, mode: node.mode });
    else copier.place(tree, real, node, to);
  }
}
