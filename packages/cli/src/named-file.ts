import { sep } from "node:path";
import { UndockedError } from "@undocked/registry";
import { checkWritable, destinationOf, writeNamedFile } from "@undocked/registry/files";

/**
 * Makes sure of a file that shall be written, before there is work that would be lost.
 *
 * @throws {UndockedError} `OUTPUT_UNWRITABLE`
 */
export async function checkFile(path: string): Promise<void> {
  await naming(path, async () => {
    const destination = await destinationOf(path);
    if (destination.kind === "directory")
      throw new UndockedError("OUTPUT_UNWRITABLE", `${path} is a directory.`, { hint: "Name a file." });
    await checkWritable(destination);
  });
}

/**
 * Makes sure of a directory that shall be written to, whether it is there or not.
 *
 * @throws {UndockedError} `OUTPUT_UNWRITABLE`
 */
export async function checkDirectory(path: string): Promise<void> {
  await naming(path, async () => {
    const destination = await destinationOf(path);
    if (destination.kind === "file" || destination.kind === "stream")
      throw new UndockedError("OUTPUT_UNWRITABLE", `${path} is no directory.`, {
        hint: "Name a directory, or write a file: oci-archive:FILE.",
      });
    await checkWritable(destination);
  });
}

/**
 * Writes a file as `writeNamedFile` does.
 *
 * @throws {UndockedError} `OUTPUT_UNWRITABLE`, and what the content throws
 */
export async function writeFile(
  path: string,
  content: string | AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  await naming(path, () => writeNamedFile(path, content, { signal }));
}

/**
 * Runs what writes to a place; what the operating system refuses becomes an error that names the place.
 *
 * @throws {UndockedError} `OUTPUT_UNWRITABLE`
 */
export async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isOfPath(error)) throw error;
    throw new UndockedError("OUTPUT_UNWRITABLE", `${path} cannot be written: ${error.message}.`, {
      hint: "Name a path whose directory can be written.",
      cause: error,
    });
  }
}

/**
 * Runs what reads at a place, and perhaps writes elsewhere; what the operating system refuses of the place itself becomes an
 * error that names it.
 *
 * @param path - default: whatever was refused
 * @param written - a place that is written to, perhaps below it
 * @throws {UndockedError} `FILE_UNREADABLE`
 */
export async function reading<T>(work: () => Promise<T>, path?: string, written?: string): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isOfPath(error) || (path !== undefined && !isBelow(error.path, path))) throw error;
    if (path !== written && written !== undefined && isBelow(error.path, written)) throw error;
    throw new UndockedError("FILE_UNREADABLE", `${path ?? error.path} cannot be read: ${error.message}.`, {
      hint: "Correct the path, or let the user who runs this read what is there.",
      cause: error,
    });
  }
}

/** What the operating system refused of a file or directory; without a path it is of a connection. */
function isOfPath(error: unknown): error is Error & { readonly path: string } {
  return error instanceof Error && "syscall" in error && "path" in error && typeof error.path === "string";
}

function isBelow(path: string, place: string): boolean {
  return path === place || path.startsWith(place.endsWith(sep) ? place : `${place}${sep}`);
}
