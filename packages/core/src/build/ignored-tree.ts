import { filteredTree } from "../context/filtered-tree.ts";
import { resolveInside } from "../context/resolve.ts";
import type { SourceTree } from "../context/source-tree.ts";
import { compilePattern } from "../dockerfile/ignore-pattern.ts";
import { readIgnoreLines } from "../dockerfile/ignore.ts";
import { faults, located } from "./faults.ts";
import { ignoreRules } from "./ignore-rules.ts";

/** A tree without what its own `.dockerignore` says. */
export function withoutIgnored(tree: SourceTree): SourceTree {
  return filtered(tree, ignorePatterns(readInside(tree, "/.dockerignore"), ".dockerignore"));
}

export function filtered(tree: SourceTree, patterns: readonly string[]): SourceTree {
  return patterns.length === 0 ? tree : filteredTree(tree, ignoreRules(patterns));
}

/**
 * What an ignore file says; nothing where there is none.
 *
 * @param name - for messages
 * @throws {UndockedError} `DOCKERFILE_INVALID` with every malformed pattern
 */
export function ignorePatterns(bytes: Uint8Array | undefined, name: string): readonly string[] {
  if (bytes === undefined) return [];
  const found = faults();
  const lines = readIgnoreLines(new TextDecoder().decode(bytes));
  for (const { pattern, line, text } of lines) {
    const at = { file: name, line, column: 1, text, length: text.length };
    found.collect(() => located(at, () => compilePattern(pattern)));
  }
  found.throwIfAny();
  return lines.map(({ pattern }) => pattern);
}

/** A small file of a tree, links followed; `undefined`: there is none. */
export function readInside(tree: SourceTree, path: string): Uint8Array | undefined {
  const { path: real, node, obstacle } = resolveInside(tree, path);
  if (node?.kind !== "file" || obstacle !== undefined) return undefined;
  const content = tree.open(real);
  return content.readAt?.(0, content.size);
}
