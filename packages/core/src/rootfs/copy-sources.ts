import { baseName, cleanPath, joinPath } from "../context/path.ts";
import { resolveInside } from "../context/resolve.ts";
import type { SourceNode, SourceTree } from "../context/source-tree.ts";
import { CopyError } from "./copy-error.ts";
import type { CopyStep, PathMatch } from "./copy-step.ts";

/** Something of a tree that is to be copied. */
export interface Chosen {
  readonly tree: SourceTree;
  /** Where it is, links followed. */
  readonly path: string;
  readonly node: SourceNode;
  /** What it is called at the destination: its name before links were followed. */
  readonly name: string;
}

const WILDCARD = /[*?[]/;

export function hasWildcard(path: string): boolean {
  return WILDCARD.test(path);
}

/**
 * What a source of COPY or ADD names. All links are followed inside the tree, the last one too. A pattern that matches
 * nothing gives nothing.
 *
 * @param source - as written, expanded
 * @throws {CopyError} `COPY_SOURCE_MISSING`
 */
export function chooseSources(
  tree: SourceTree,
  source: string,
  { match, exclude }: Pick<CopyStep, "match" | "exclude">,
): Chosen[] {
  const path = cleanPath(source);
  if (!hasWildcard(path)) return [chosenAt(tree, path, exclude)];
  return matchingPaths(tree, path, match).map((found) => chosenAt(tree, found, undefined));
}

function chosenAt(tree: SourceTree, path: string, exclude: CopyStep["exclude"]): Chosen {
  const { path: real, node, obstacle } = resolveInside(tree, path);
  if (node === undefined || obstacle !== undefined) {
    throw missing(tree, path, exclude === undefined ? undefined : `lstat ${path}: no such file or directory`);
  }
  return { tree, path: real, node, name: baseName(path) };
}

/** Paths that match, links not followed in the part that the pattern matches; below a match none is looked for. */
export function matchingPaths(tree: SourceTree, path: string, match: PathMatch): string[] {
  const names = path.slice(1).split("/");
  const first = names.findIndex(hasWildcard);
  const base = `/${names.slice(0, first).join("/")}`;
  const { path: start, node, obstacle } = resolveInside(tree, base);
  if (node === undefined || obstacle !== undefined) {
    throw new CopyError(
      "COPY_SOURCE_MISSING",
      `lstat ${base}: no such file or directory, where ${path} is looked for.`,
      tree.missingHint === undefined ? {} : { hint: tree.missingHint },
    );
  }
  // `*` does not cross `/`, so each component of the pattern is one level of the tree.
  let found = [start];
  for (const pattern of names.slice(first)) {
    found = found.flatMap((directory) =>
      tree
        .list(directory)
        .filter((name) => match(pattern, name))
        .map((name) => joinPath(directory, name)),
    );
  }
  return found;
}

export function missing(tree: SourceTree, path: string, message = `"${path}": not found`): CopyError {
  return new CopyError("COPY_SOURCE_MISSING", message, {
    hint: tree.missingHint ?? "Check the path, and that .dockerignore does not leave it out.",
  });
}
