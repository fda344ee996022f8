import { filteredTree } from "../context/filtered-tree.ts";
import { resolveInside } from "../context/resolve.ts";
import type { SourceTree } from "../context/source-tree.ts";
import { parseIgnoreFile } from "../dockerfile/ignore.ts";
import { ignoreRules } from "./ignore-rules.ts";

/** A tree without what its own `.dockerignore` says. */
export function withoutIgnored(tree: SourceTree): SourceTree {
  return filtered(tree, ignorePatterns(readInside(tree, "/.dockerignore")));
}

export function filtered(tree: SourceTree, patterns: readonly string[]): SourceTree {
  return patterns.length === 0 ? tree : filteredTree(tree, ignoreRules(patterns));
}

/** What an ignore file says; nothing where there is none. */
export function ignorePatterns(file: Uint8Array | undefined): readonly string[] {
  return file === undefined ? [] : parseIgnoreFile(new TextDecoder().decode(file));
}

/** A small file of a tree, links followed; `undefined`: there is none. */
export function readInside(tree: SourceTree, path: string): Uint8Array | undefined {
  const { path: real, node, obstacle } = resolveInside(tree, path);
  if (node?.kind !== "file" || obstacle !== undefined) return undefined;
  const content = tree.open(real);
  return content.readAt?.(0, content.size);
}
