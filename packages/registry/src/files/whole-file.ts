import { randomUUID } from "node:crypto";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { hasCode } from "./absent.ts";
import { writeChunks } from "./chunks.ts";
import { makeDirectory } from "./make-directory.ts";

/**
 * `scratch` for what is checked when it is read, and may be lost when the power is. A directory in the place of such a file is
 * damage, and makes way for it.
 */
export type Durability = "synced" | "scratch";

/** How a file is kept, and for whom. */
export interface WholeFileOptions {
  /** Default: `synced`, its name as well. */
  readonly durability?: Durability;
  /** Permissions. Default: 0o666 without the umask's. */
  readonly mode?: number;
}

/**
 * Writes a file of our own that others see whole or not at all: beside its place, synced, renamed. What was there is replaced,
 * be it a link or a device; of a write that fails nothing is left. Missing directories are made. A file that somebody named is
 * for `writeNamedFile`.
 */
export async function writeWholeFile(
  path: string,
  content: string | Uint8Array | AsyncIterable<Uint8Array>,
  options: WholeFileOptions = {},
): Promise<void> {
  await makeDirectory(dirname(path));
  await writeWhole(
    besideName(path),
    (file) => writeBody(file, content),
    () => path,
    options,
  );
}

/** Writes what a file is to have in it, at once or as it comes. */
export function writeBody(
  file: FileHandle,
  content: string | Uint8Array | AsyncIterable<Uint8Array>,
): Promise<void> {
  return typeof content === "string" || content instanceof Uint8Array
    ? file.writeFile(content)
    : writeChunks(file, content);
}

/** A name for a file that is being written: nobody else's, and beside its target. */
export function besideName(path: string): string {
  return `${path}.${randomUUID()}.tmp`;
}

/**
 * {@link writeWholeFile} in parts.
 *
 * @param write - gets the open file
 * @param target - asked for once the file is written, so that it can be named by its content
 */
export async function writeWhole(
  temporary: string,
  write: (file: FileHandle) => Promise<void>,
  target: () => string,
  { durability = "synced", mode = 0o666 }: WholeFileOptions = {},
): Promise<void> {
  const file = await open(temporary, "wx", mode);
  try {
    try {
      await write(file).catch((error: unknown) => {
        throw namingFile(error, temporary);
      });
      if (durability === "synced") await file.sync();
    } finally {
      await file.close();
    }
    await renameInto(temporary, target(), durability);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** A write that the operating system refuses, as on a full disk, does not say by itself of which file it was; nor does a read. */
export function namingFile(error: unknown, path: string, syscall: "read" | "write" = "write"): unknown {
  const isNameless =
    error instanceof Error && "syscall" in error && error.syscall === syscall && !("path" in error);
  return isNameless ? Object.assign(error, { path }) : error;
}

/** Gives a file its name, and makes the name as durable as the file. */
export async function renameInto(from: string, to: string, durability: Durability = "synced"): Promise<void> {
  await makeDirectory(dirname(to));
  await rename(from, to).catch(async (error: unknown) => {
    if (durability === "synced" || !hasCode(error, "EISDIR")) throw error;
    await rm(to, { recursive: true, force: true });
    await rename(from, to);
  });
  // Windows opens no directory.
  if (durability === "scratch" || process.platform === "win32") return;
  const directory = await open(dirname(to), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
