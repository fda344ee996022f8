import type { Digest } from "@undocked/registry";
import type { TarKind } from "@undocked/registry/tar";

/** What one path of a layer is. Absent fields have their usual value: uid 0, gid 0, size 0. */
export interface IndexEntry {
  /** Clean, absolute: `/usr/bin`. */
  readonly path: string;
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
  /** What the collector handed to `indexLayer` found in the file. */
  readonly facts?: unknown;
}

/** All that a build has to know of a layer, without its bytes. JSON. */
export interface LayerIndex {
  /** Of this form. */
  readonly version: 1;
  /** Of the uncompressed tar. */
  readonly diffId: Digest;
  /** In the layer's order. */
  readonly entries: readonly IndexEntry[];
  /** Small files that later questions need (passwd, group, os-release, ld.so configuration), base64 by path. */
  readonly files: Readonly<Record<string, string>>;
}
