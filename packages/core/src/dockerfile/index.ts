/**
 * A Dockerfile as text: its tree with places, its words, and the small grammars in it. Nothing here reads a file or
 * runs a command, so a linter or an editor can be built on it.
 *
 * ```ts
 * try {
 *   const { stages } = parseDockerfile(text, { file: "Dockerfile" });
 *   for (const { from, instructions } of stages) visit(from, ...instructions); // each has its `kind` and `at`
 * } catch (error) {
 *   if (error instanceof DockerfileError) underline(error.diagnostics); // every fault, with line, column and length
 * }
 * ```
 *
 * @module
 */
export type * from "./ast.ts";
export { parseCheckOptions, type CheckOptions } from "./check-options.ts";
export { parseChmod, type ModeChange } from "./chmod.ts";
export { parseChown, type Chown, type OwnerWord } from "./chown.ts";
export { cleanPath, resolvePath } from "./clean-path.ts";
export { formatDuration, parseDuration } from "./duration.ts";
export { DockerfileError, type DockerfileErrorCode } from "./error.ts";
export { expand, type Expansion, type ExpandOptions, type Lookup } from "./expand.ts";
export { parseExpose, type ExposedPorts } from "./expose.ts";
export { isGitReference, isHttpSource } from "./git-reference.ts";
export { ignoreMatcher, parseIgnoreFile, type IgnoreMatcher } from "./ignore.ts";
export { keywords } from "./instructions.ts";
export { parseDockerfile, type ParseOptions } from "./parse.ts";
export { hasWildcard, pathMatcher } from "./path-match.ts";
export { parsePlatformWord } from "./platform.ts";
export { parseSignal } from "./signal.ts";
export { suggest, type Effort, type SuggestOptions } from "./suggest.ts";
