import type { ElfFacts } from "./elf.ts";

/** The file system that a loader looks at: an image's merged layers, or a directory. */
export interface LibraryRoot {
  /** Follows every symlink inside the root; `undefined`: there is nothing, or a link that leads nowhere. */
  resolve(path: string): RootFile | undefined;
  /** Of a file that {@link resolve} gave; `undefined`: it is not ELF, or damaged beyond its headers. */
  elf(file: RootFile): Promise<ElfFacts | undefined>;
  /** All of a small file (a cache, a path file); `undefined`: it is longer than `limit`. */
  read(file: RootFile, limit: number): Promise<Uint8Array | undefined>;
}

export interface RootFile {
  /** Where it really is: absolute, without links. */
  readonly path: string;
  readonly kind: "file" | "directory" | "other";
  /** The same for all names of one file. Default: its path. */
  readonly id?: string;
}

/** A path's directory: `/` of `/a`, `.` of `a`. */
export function directoryOf(path: string): string {
  const end = path.lastIndexOf("/");
  if (end === -1) return ".";
  return end === 0 ? "/" : path.slice(0, end);
}

/** A path as seen from a working directory; not cleaned, as `..` is the root's business. */
export function absolute(path: string, workingDirectory: string): string {
  if (path.startsWith("/")) return path;
  return `${workingDirectory.replace(/\/$/, "")}/${path}`;
}
