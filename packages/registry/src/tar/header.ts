/** What a tar entry can be. Everything else in a tar (GNU's old sparse files, parts of several volumes) is refused by the reader. */
export type TarKind =
  | "file"
  | "directory"
  | "symlink"
  | "hardlink"
  | "character-device"
  | "block-device"
  | "fifo";

/** What stands before a file's bytes in a tar (POSIX.1-2001 pax, ustar). */
export interface TarHeader {
  /** As the archive says it, hostile until normalised; a directory's trailing `/` is not part of it. */
  readonly path: string;
  readonly kind: TarKind;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds since 1970, rounded down; may be negative. */
  readonly mtime: number;
  /** Bytes of the body, holes of a sparse file included; 0 for all but files. */
  readonly size: number;
  /** Of symlinks and hard links, as the archive says it. */
  readonly linkTarget?: string;
  /** Of devices. */
  readonly deviceMajor?: number;
  readonly deviceMinor?: number;
  /** Extended attributes by their full name (`security.capability`), from and to `SCHILY.xattr.*`. */
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
}

/** One thing to write. */
export interface TarEntry {
  readonly header: TarHeader;
  /** Exactly `header.size` bytes. Small files as one array: that is ten times faster than a stream. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
}

/** One thing read. */
export interface TarMember {
  readonly header: TarHeader;
  /** To be read before the next member is asked for; what is left unread is skipped. */
  readonly body: AsyncIterable<Uint8Array>;
  /** All of the body where it is in memory already, as it is for most small files; not to be changed. */
  readonly bytes?: Uint8Array;
  /** The tar has only parts of the body: the holes between them are filled in. */
  readonly isSparse?: true;
}
