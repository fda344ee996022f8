import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UndockedError } from "../errors.ts";

/** The system's directory for temporary files refuses what is to lie there meanwhile. */
export class ScratchError extends UndockedError<"TEMPORARY_UNUSABLE"> {}

/**
 * Makes a directory of one's own among the temporary files, to be removed by who asked for it.
 *
 * @param parent - default: the system's directory for such files
 * @throws {ScratchError} `TEMPORARY_UNUSABLE`
 */
export async function scratchDirectory(parent: string = tmpdir()): Promise<string> {
  return await inScratch(mkdtemp(join(parent, "undocked-")));
}

/** As `FileHandle` of `node:fs/promises`. */
export interface WritableFile {
  write(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
}

/**
 * Writes all of the bytes to a temporary file: of a write that fits in part alone, the rest would be missing.
 *
 * @throws {ScratchError} `TEMPORARY_UNUSABLE`
 */
export async function writeScratch(file: WritableFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.byteLength;) {
    const { bytesWritten } = await inScratch(file.write(bytes, at, bytes.byteLength - at, position + at));
    at += bytesWritten;
  }
}

/** What writes to a temporary file, and may read elsewhere. */
export async function inScratch<T>(writing: Promise<T>): Promise<T> {
  try {
    return await writing;
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error && isWrite(error.syscall))) throw error;
    throw new ScratchError("TEMPORARY_UNUSABLE", `${tmpdir()} cannot be written: ${error.message}.`, {
      hint: "Make room there, or set TMPDIR to another directory.",
      cause: error,
    });
  }
}

function isWrite(syscall: unknown): boolean {
  return syscall === "write" || syscall === "mkdtemp";
}
