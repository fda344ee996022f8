import type { Digest } from "@undocked/registry";
import type { TarKind } from "@undocked/registry/tar";

/** What one path of a layer is. Absent fields have their usual value: mode 0, uid 0, gid 0, mtime 0, size 0. */
export interface IndexEntry {
  /** Clean, absolute: `/usr/bin`. */
  readonly path: string;
  /** `whiteout`: the path is taken away; `opaque`: all that lower layers have in the directory is. */
  readonly kind: TarKind | "whiteout" | "opaque";
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly size?: number;
  /** Of symlinks as written; of hard links clean and absolute. */
  readonly linkTarget?: string;
  readonly deviceMajor?: number;
  readonly deviceMinor?: number;
  /** Extended attributes, base64. */
  readonly xattrs?: Readonly<Record<string, string>>;
  /** Files of this path that come before it in the layer; absent: none. */
  readonly earlier?: number;
  /** What the collector handed to `indexLayer` found in the file; JSON. */
  readonly facts?: unknown;
}

/** All that a build has to know of a layer, without its bytes. JSON. */
export interface LayerIndex {
  /** Of this form; an index of another version is made anew. */
  readonly version: 2;
  /** Which collector's facts it holds; the empty string for none. */
  readonly collector: string;
  /** Of the uncompressed tar. */
  readonly diffId: Digest;
  /** In the layer's order. */
  readonly entries: readonly IndexEntry[];
  /** Small files that later questions need (passwd, group, os-release, ld.so configuration), base64 by path: of several the last. */
  readonly files: Readonly<Record<string, string>>;
}
