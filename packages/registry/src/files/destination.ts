import { access, constants, lstat, open, readlink, realpath, stat, type FileHandle } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { hasCode, ifPresent } from "./absent.ts";
import { makeDirectory } from "./make-directory.ts";
import { besideName, namingFile, writeBody, writeWhole } from "./whole-file.ts";

/** Where the bytes go of a file that somebody named. */
export interface Destination {
  /**
   * What is there. A `file` is replaced, whole or not at all. A `stream` is written to: a device, a FIFO, or a file that is open
   * already, as `/dev/stdout`.
   */
  readonly kind: "nothing" | "file" | "directory" | "stream";
  /** Of a file, what the name's links finally lead to, whether it is there or not. */
  readonly path: string;
}

/** Looks at what a name stands for. A link in a circle is refused, as it is by whatever opens it. */
export async function destinationOf(path: string): Promise<Destination> {
  const status = await stat(path).catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  });
  if (status?.isDirectory() === true) return { kind: "directory", path };
  if (status !== undefined && !status.isFile()) return { kind: "stream", path };
  return await followed(path, status === undefined ? "nothing" : "file");
}

/** As many as Linux follows. */
const LINKS = 40;

async function followed(name: string, kind: "nothing" | "file"): Promise<Destination> {
  let path = name;
  for (let links = 0; links < LINKS; links += 1) {
    const directory = await ifPresent(realpath(dirname(path)));
    if (NO_FILES.test(directory ?? dirname(resolve(path)))) return { kind: "stream", path };
    if (directory === undefined) break;
    const status = await ifPresent(lstat(path));
    if (status?.isSymbolicLink() !== true) break;
    path = resolve(directory, await readlink(path));
  }
  return { kind, path };
}

/**
 * Names in these directories stand for devices and for what is open: a file is never put in their place, also where they are
 * missing.
 */
const NO_FILES = /^\/(?:proc(?:\/|$)|dev(?:\/fd)?$)/;

/** Makes sure that there can be written, and makes missing directories. What is refused is what the operating system throws. */
export async function checkWritable({ kind, path }: Destination): Promise<void> {
  if (kind === "stream") {
    await access(path, constants.W_OK);
    // A socket opens for nobody; anything else might wait or act.
    if ((await stat(path)).isSocket()) await (await open(path)).close();
    return;
  }
  const directory = kind === "directory" ? path : dirname(path);
  if (kind !== "directory") await makeDirectory(directory);
  await access(`${directory}/.`, constants.W_OK | constants.X_OK);
  // Its name may be too long.
  if (kind !== "directory") await ifPresent(lstat(besideName(path)));
}

/** Writes a file that somebody named; of a stream, what was written of it before an error stays. */
export async function writeNamedFile(
  path: string,
  content: string | Uint8Array | AsyncIterable<Uint8Array>,
  options: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  await writeDestination(await destinationOf(path), (file) => writeBody(file, content), options.signal);
}

/**
 * @param write - gets the open file
 * @param signal - ends the wait for somebody who reads a FIFO
 */
export async function writeDestination(
  { kind, path }: Destination,
  write: (file: FileHandle) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  if (kind !== "stream") {
    await makeDirectory(dirname(path));
    return await writeWhole(besideName(path), write, () => path);
  }
  const file = await openStream(path, signal);
  try {
    await write(file).catch((error: unknown) => {
      throw namingFile(error, path);
    });
  } finally {
    await file.close();
  }
}

/** Between two looks whether somebody reads a FIFO. */
const LOOK_MS = 50;

/** Opens a FIFO once somebody reads it: an open that waits by itself is ended by nothing. */
async function openStream(path: string, signal: AbortSignal | undefined): Promise<FileHandle> {
  // Of a file that is open, others write the beginning.
  const flags = constants.O_WRONLY | constants.O_APPEND;
  if (!(await stat(path)).isFIFO()) return await open(path, flags);
  for (;;) {
    signal?.throwIfAborted();
    const held = await open(path, flags | constants.O_NONBLOCK).catch((error: unknown) => {
      if (!hasCode(error, "ENXIO")) throw error;
    });
    if (held === undefined) {
      await setTimeout(LOOK_MS, undefined, signal === undefined ? {} : { signal });
      continue;
    }
    try {
      // Opened anew, so that a write waits for room.
      return await open(path, flags);
    } finally {
      await held.close();
    }
  }
}
