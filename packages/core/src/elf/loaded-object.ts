import type { Diagnostic } from "@undocked/registry";
import type { ElfFacts } from "./elf.ts";
import type { RootFile } from "./library-root.ts";

/** What the loader is told besides what is in the files. */
export interface ClosureOptions {
  /** Default `/`. */
  readonly workingDirectory?: string;
  /** The loader that is told to load the program. Default: the program's own. */
  readonly interpreter?: string;
  /** `LD_LIBRARY_PATH` of the image's Env. */
  readonly libraryPath?: string;
  /** `LD_PRELOAD` of the image's Env. */
  readonly preload?: string;
  /** Whether the program gains rights as it starts (AT_SECURE): loaders then believe neither the environment nor `$ORIGIN`. */
  readonly secure?: boolean;
  /** Subdirectories of `glibc-hwcaps` that the processor has, best first. Default: none, what every processor does. */
  readonly hwcaps?: readonly string[];
}

/** How an object was found. */
export type FoundBy =
  | "program"
  | "interpreter"
  | "path"
  | "rpath"
  | "environment"
  | "runpath"
  | "cache"
  | "default";

/** A file that the loader maps. */
export interface LoadedObject {
  /** As it was asked for. */
  readonly name: string;
  /** As the loader opened it; links in it are not followed. */
  readonly path: string;
  readonly file: RootFile;
  readonly elf: ElfFacts;
  /** The path of the object that needs it first. */
  readonly neededBy?: string;
  readonly foundBy: FoundBy;
}

/** Everything that a program's loader would map, in its order, and what it would complain of. */
export interface Closure {
  readonly loader: "glibc" | "musl" | "none";
  readonly objects: readonly LoadedObject[];
  readonly problems: readonly Diagnostic[];
}

/** A program and its interpreter, both found. */
export interface ClosureRequest {
  readonly program: { readonly path: string; readonly file: RootFile; readonly elf: ElfFacts };
  readonly interpreter: { readonly path: string; readonly file: RootFile; readonly elf: ElfFacts };
  readonly options: ClosureOptions;
}
