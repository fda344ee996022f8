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

async function naming(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    // Without a path it is of a connection.
    if (!(error instanceof Error && "syscall" in error && "path" in error)) throw error;
    throw new UndockedError("OUTPUT_UNWRITABLE", `${path} cannot be written: ${error.message}.`, {
      hint: "Name a path whose directory can be written.",
      cause: error,
    });
  }
}
