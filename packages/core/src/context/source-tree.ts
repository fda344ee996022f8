/** What a path of a tree can be. */
export type NodeKind =
  | "file"
  | "directory"
  | "symlink"
  | "character-device"
  | "block-device"
  | "fifo"
  | "socket";

/** A path's own attributes; of a symlink, the link's. */
export interface SourceNode {
  readonly kind: NodeKind;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds since 1970. */
  readonly mtime: number;
  /** Bytes; 0 for all but files. */
  readonly size: number;
  /** Of symlinks, as written. */
  readonly linkTarget?: string;
  /** The same for all names of one file that has several names in this tree; absent for a file with one name. */
  readonly linkGroup?: string;
  /** Of devices. */
  readonly deviceMajor?: number;
  readonly deviceMinor?: number;
  /** Extended attributes by their full name. */
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
}

/** The bytes of a file, read when they are needed and again when they are needed again. */
export interface FileContent {
  /** Bytes. */
  readonly size: number;
  /** All bytes from the start, in pieces of any length. */
  stream(): AsyncIterable<Uint8Array>;
  /**
   * Up to `length` bytes from `position`; fewer only at the file's end. Absent where the bytes lie in a compressed layer.
   */
  readAt?(position: number, length: number): Uint8Array;
  /** Opens the file for reads into memory of the reader's own; absent where {@link readAt} is. */
  openFile?(): OpenFile;
  /**
   * Tells one state of the bytes from another without reading them: of two contents with one identity the bytes are the
   * same, in other processes too. Absent: nobody can tell, or can tell no more since it was read.
   */
  readonly identity?: string | undefined;
  /** Told ahead by whoever will read it: lets many files of one compressed layer be taken out in one pass. */
  expect?(): void;
  /** What the collector of a layer's index found in the bytes; `null`: nothing. Absent where no collector has seen them. */
  readonly facts?: unknown;
}

/** A file that is open until it is closed. */
export interface OpenFile {
  /** Fills `into` with the bytes from `position` on, all of which there must be. */
  read(into: Uint8Array, position: number): void;
  close(): void;
}

/**
 * A tree of files that can only be read: the build context, a stage's root file system, an image.
 *
 * Paths are absolute in the tree, `/`-separated and clean: `/`, `/a/b`; no `.`, `..`, `//` or trailing `/`. Look-ups
 * never follow a symlink, neither as last component nor on the way: below a symlink there is nothing.
 */
export interface SourceTree {
  /** `undefined`: there is nothing at this path. */
  lstat(path: string): SourceNode | undefined;
  /** Names in a directory, sorted by their UTF-8 bytes; empty for anything else. */
  list(path: string): readonly string[];
  /** Of a file; throws for anything else. */
  open(path: string): FileContent;
  /** Told of each path that a COPY takes, by trees that want to know. */
  taken?(path: string): void;
  /** What to tell somebody who names a path that is not here. */
  readonly missingHint?: string;
  /** A look at what is there now, which is not remembered. Absent where that is no less work. */
  readonly glance?: Glance;
}

/** Looks at a tree as `list` and `lstat` do, of which nothing stays in memory. */
export interface Glance {
  list(path: string): readonly string[];
  look(path: string): Glimpse | undefined;
}

/** A path's attributes, with what its content can be told apart by. */
export interface Glimpse {
  readonly node: SourceNode;
  /** Of a file's content. */
  readonly identity?: string | undefined;
}

/** All paths of a tree below `from`, parents before children, in byte order of names; nothing for a path that is no directory. */
export function* walkTree(
  tree: SourceTree,
  from: string,
): Generator<{ readonly path: string; readonly node: SourceNode }, void, void> {
  // A stack of its own: a hostile tree may be deeper than the call stack.
  const ahead = [...children(tree, from)];
  for (let path = ahead.pop(); path !== undefined; path = ahead.pop()) {
    const node = tree.lstat(path);
    if (node === undefined) continue;
    yield { path, node };
    if (node.kind !== "directory") continue;
    for (const child of children(tree, path)) ahead.push(child);
  }
}

function children(tree: SourceTree, directory: string): string[] {
  return tree
    .list(directory)
    .map((name) => (directory === "/" ? `/${name}` : `${directory}/${name}`))
    .reverse();
}
