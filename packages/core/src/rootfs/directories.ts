import { joinPath } from "../context/path.ts";
import type { SourceNode } from "../context/source-tree.ts";
import type { ChangeSet } from "./change-set.ts";
import { CopyError } from "./copy-error.ts";
import type { Owner } from "./owner.ts";

/** What directories look like that a step makes on its way. */
export interface DirectoryStyle extends Owner {
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

/**
 * Makes a directory and its parents where they are missing; what exists keeps its attributes.
 *
 * @param path - without links, as resolving gives it
 * @throws {CopyError} `COPY_CONFLICT`: `mkdir /file: not a directory`
 */
export function makeDirectories(changes: ChangeSet, path: string, style: DirectoryStyle): void {
  const node: SourceNode = { kind: "directory", size: 0, ...style };
  let at = "/";
  for (const name of path.split("/")) {
    if (name === "") continue;
    at = joinPath(at, name);
    const there = changes.root.lstat(at);
    if (there === undefined) changes.make(at, node);
    else if (there.kind !== "directory") throw notDirectory(at, there);
  }
}

export function notDirectory(path: string, node: SourceNode): CopyError {
  return new CopyError("COPY_CONFLICT", `mkdir ${path}: not a directory, but a ${node.kind} of the image.`, {
    hint: `Choose a path that does not go through ${path}.`,
  });
}
