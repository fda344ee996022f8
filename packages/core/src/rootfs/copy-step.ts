import type { IgnoreRules } from "../context/filtered-tree.ts";
import type { FileContent, SourceTree } from "../context/source-tree.ts";
import type { Owner } from "./owner.ts";

/** Go's `path.Match`. */
export type PathMatch = (pattern: string, name: string) => boolean;

/** A file that is not in a tree: a heredoc, a download. */
export interface WrittenFile {
  readonly name: string;
  readonly content: FileContent;
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Whether ADD takes it apart if it is an archive. Default: no. */
  readonly unpack?: boolean;
}

/** Where a COPY takes from: a path or pattern of a tree, or a file that the Dockerfile itself brings. */
export type CopySource =
  | { readonly kind: "path"; readonly tree: SourceTree; readonly path: string }
  | ({ readonly kind: "written" } & WrittenFile);

/** A COPY, or an ADD of files, with all its words expanded. */
export interface CopyStep {
  /** In their order, heredocs last. */
  readonly sources: readonly CopySource[];
  /** Absolute; a `/` or `/.` at its end says that it is a directory. */
  readonly destination: string;
  /** `path.Match` of Go, for sources with wildcards. */
  readonly match: PathMatch;
  /** For directories that are made on the way, in seconds since 1970. */
  readonly now: number;
  /** `--chown`. Default: as in the source; 0:0 for directories made on the way. */
  readonly owner?: Owner;
  /** `--chmod` of what is copied, links excepted. Default: as in the source. */
  readonly chmod?: (mode: number, isDirectory: boolean) => number;
  /** The mode of directories made on the way: an octal `--chmod`'s. Default 0755. */
  readonly parentMode?: number;
  /** `--exclude`, of paths relative to each directory that is copied. */
  readonly exclude?: IgnoreRules;
  /** `--parents`, with the matcher of `.dockerignore` for its patterns. */
  readonly parents?: (pattern: string) => (path: string) => boolean;
  /** `--link`: into an empty root, laid over the image as it is. Default `"follow"`. */
  readonly destinationLinks?: "follow" | "replace";
}
