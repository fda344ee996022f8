import { ElfError } from "./elf-error.ts";
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

/** What a path of a {@link LibraryRoot} leads to. */
export interface RootFile {
  /** Where it really is: absolute, without links. */
  readonly path: string;
  readonly kind: "file" | "directory" | "other";
  /** The same for all names of one file. Default: its path. */
  readonly id?: string;
  /** Why the user that the loader runs as may not read it. Default: they may. */
  readonly closed?: ClosedBy;
}

/** What keeps a user from a file: its own permissions, or those of a directory on the way. */
export interface ClosedBy {
  /** As messages name them. */
  readonly user: string;
  readonly path: string;
  /** Octal: `0700`. */
  readonly mode: string;
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

// The largest programs have some hundred libraries and look in ten places for each; damaged ones could look for ever.
const probeLimit = 100_000;

/** To be called for each library that is asked for, and each place that is looked at. @throws {ElfError} `ELF_TOO_LARGE` */
export function probeCounter(): () => void {
  let probes = 0;
  return () => {
    probes++;
    if (probes > probeLimit) {
      throw new ElfError("ELF_TOO_LARGE", `The program's libraries take more than ${probeLimit} look-ups.`);
    }
  };
}
