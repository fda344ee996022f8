import type { IgnoreRules } from "../context/filtered-tree.ts";
import { ignoreMatcher } from "../dockerfile/ignore.ts";

/** The rules of a `.dockerignore`, or of `--exclude`. */
export function ignoreRules(patterns: readonly string[]): IgnoreRules {
  const reincludes = patterns.some((pattern) => pattern.startsWith("!"));
  return { ignores: pathPattern(...patterns), reincludes };
}

/** Whether a path matches patterns of that kind. */
export function pathPattern(...patterns: readonly string[]): (path: string) => boolean {
  const matcher = ignoreMatcher(patterns);
  return (path) => matcher.ignores(path);
}
