export { buildImage } from "./build/build-image.ts";
export type { BuiltImage, PlatformImage } from "./build/built-image.ts";
export { checkBuild, planBuild, type PlannedBuild } from "./build/plan-build.ts";
export type { BuildPlan, StagePlan, Step } from "./plan/plan.ts";
export {
  OptionsError,
  type BuildOptions,
  type ExecutablePolicy,
  type Output,
  type PreflightPolicy,
} from "./build/options.ts";
export type { BuildEvent } from "./build/event.ts";
export { BuildError } from "./build/faults.ts";
export { InputError } from "./build/input.ts";
export { PlaceError } from "./build/system-error.ts";
export { versionTags } from "./build/tags.ts";
export type { PushedImage } from "./build/deliver.ts";
export { ContextError } from "./context/context-error.ts";
export type { FileMapping } from "./context/mapped-tree.ts";
export { directoryTree } from "./context/directory-tree.ts";
export { memoryTree, type MemoryFile } from "./context/memory-tree.ts";
export type {
  FileContent,
  Glance,
  Glimpse,
  NodeKind,
  SourceNode,
  SourceTree,
} from "./context/source-tree.ts";
export { cacheUsage, pruneCache, type CacheUsage, type PruneOptions } from "./cache/prune.ts";
export { cacheDirectory } from "./build/workspace.ts";
export type { LayerCompression } from "./layer/encoding.ts";
export { LayerError } from "./layer/layer-error.ts";
export { CopyError } from "./rootfs/copy-error.ts";
export type { Finding, Proof, ProofStep, UserFacts } from "./preflight/proof.ts";
export { checkImage, type CheckedImage, type CheckOptions } from "./check/check-image.ts";
export { checkFile } from "./check/check-file.ts";
export { openImage, type OpenedImage, type OpenImageOptions } from "./check/open-image.ts";
