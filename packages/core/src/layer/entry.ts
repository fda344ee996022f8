import type { FileContent } from "../context/source-tree.ts";

interface Attributes {
  /** Relative to the image's root, clean, without leading or trailing `/`: `usr/bin/abc`. */
  readonly path: string;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds since 1970. */
  readonly mtime: number;
  /** Extended attributes by their full name. */
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
}

export interface FileEntry extends Attributes {
  readonly kind: "file";
  readonly content: FileContent;
}

export interface DirectoryEntry extends Attributes {
  readonly kind: "directory";
}

export interface SymlinkEntry extends Attributes {
  readonly kind: "symlink";
  /** As written. */
  readonly linkTarget: string;
}

/** Another name of a file of the same layer, with that file's attributes. */
export interface HardlinkEntry extends Attributes {
  readonly kind: "hardlink";
  /** The path of the first name, in the form of `path` and before it in byte order. */
  readonly linkTarget: string;
}

export interface SpecialEntry extends Attributes {
  readonly kind: "character-device" | "block-device" | "fifo";
  readonly deviceMajor?: number;
  readonly deviceMinor?: number;
}

/** Takes away what lower layers have at `path` (image-spec, layer.md#whiteouts). */
export interface WhiteoutEntry {
  readonly kind: "whiteout";
  readonly path: string;
}

/** One line of a layer: what a step of the build leaves at a path. */
export type Entry = FileEntry | DirectoryEntry | SymlinkEntry | HardlinkEntry | SpecialEntry | WhiteoutEntry;
