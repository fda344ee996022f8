import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { hasCode } from "./absent.ts";

/** Makes a directory and its parents. Node's own recursive mkdir never ends where none can be made, as in /proc. */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (hasCode(error, "EEXIST")) return;
    if (hasCode(error, "ENOENT") && dirname(path) !== path) {
      await makeDirectory(dirname(path));
      return await makeOne(path);
    }
    if (!(await isDirectory(path))) throw error;
  }
}

/** Another process may have been faster. */
async function makeOne(path: string): Promise<void> {
  await mkdir(path).catch((error: unknown) => {
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
