import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { hasCode } from "./absent.ts";

/** For whom a directory is. */
export interface MakeDirectoryOptions {
  /** Of each directory that is made; the umask takes from it. Default: 0777. */
  readonly mode?: number;
}

/** Makes a directory and its parents. Node's own recursive mkdir never ends where none can be made, as in /proc. */
export async function makeDirectory(path: string, options: MakeDirectoryOptions = {}): Promise<void> {
  try {
    await mkdir(path, options);
  } catch (error) {
    if (hasCode(error, "EEXIST")) return;
    if (hasCode(error, "ENOENT") && dirname(path) !== path) {
      await makeDirectory(dirname(path), options);
      return await makeOne(path, options);
    }
    if (!(await isDirectory(path))) throw error;
  }
}

/** Another process may have been faster. */
async function makeOne(path: string, options: MakeDirectoryOptions): Promise<void> {
  await mkdir(path, options).catch((error: unknown) => {
    if (!hasCode(error, "EEXIST")) throw error;
  });
}

/** A root is refused in another way than what is there already: by macOS as a directory, by Windows as forbidden. */
async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
}
