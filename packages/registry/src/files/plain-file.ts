import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { ifPresent } from "./absent.ts";

/**
 * Opens a file to be read, links followed; `undefined`: it is not there. What somebody has put in its place is neither waited for,
 * as a fifo's other end is, nor read without end, as a device is.
 *
 * @throws {Error} of the operating system; `EISDIR` for whatever is no file
 */
export async function openPlainFile(path: string): Promise<FileHandle | undefined> {
  return (await opened(path))?.file;
}

async function opened(
  path: string,
): Promise<{ readonly file: FileHandle; readonly size: number } | undefined> {
  const file = await ifPresent(open(path, FLAGS));
  if (file === undefined) return undefined;
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw refusal("EISDIR", "not a file", path);
    return { file, size: stats.size };
  } catch (error) {
    await file.close();
    throw error;
  }
}

// Windows has no such flag, and no fifos among its files.
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * All of a file; `undefined`: it is not there.
 *
 * @param limit - bytes that such a file can have
 * @throws {Error} as {@link openPlainFile}; `EFBIG` for a larger one
 */
export async function readPlainFile(path: string, limit: number): Promise<Buffer | undefined> {
  const plain = await opened(path);
  if (plain === undefined) return undefined;
  const { file, size } = plain;
  try {
    if (size > limit) throw refusal("EFBIG", `more than ${limit} bytes`, path);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** As the operating system tells it. */
function refusal(code: string, what: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${what}, read '${path}'`), { code, path, syscall: "read" });
}
