import type { FileContent, SourceNode, SourceTree } from "../context/source-tree.ts";
import type { Entry } from "../layer/entry.ts";
import type { LayerIndex } from "./layer-index.ts";

/** Where a path leads in a root file system. */
export interface Resolved {
  /** The path without links; clean and absolute. Its last components may not exist. */
  readonly path: string;
  /** What is there; `undefined`: nothing yet. */
  readonly node: SourceNode | undefined;
}

export interface ResolveOptions {
  /** What to do with a link that is the last component. Default `"follow"`. */
  readonly last?: "follow" | "keep";
}

/**
 * The root file system of an image as it is being made: the base's layers by their indexes, and what the steps so far
 * have put over them. Holds attributes, not bytes.
 */
export interface RootFs extends SourceTree {
  /**
   * Follows links inside the root: absolute targets start at its root, `..` stops there, and a link to something that
   * does not exist leads to where it would be.
   *
   * @throws {RootFsError} `SYMLINK_LOOP` after 40 links, `NOT_A_DIRECTORY` when something else stands in the way
   */
  resolve(path: string, options?: ResolveOptions): Resolved;
  /** Lays a base layer over what is there. */
  applyIndex(index: LayerIndex, content: LayerContent): void;
  /** Lays a new layer over what is there. */
  applyEntries(entries: Iterable<Entry>): void;
  /** A copy that changes on its own, as `FROM stage` needs it. */
  clone(): RootFs;
}

/** Gives the bytes of a layer's files when somebody wants them. */
export interface LayerContent {
  /** @param path - as the layer's index names it */
  open(path: string, size: number): FileContent;
}
