import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { isSystemError } from "./system-error.ts";

/** Makes a directory and its parents. Node's own recursive mkdir never ends where none can be made, as in /proc. */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (isSystemError(error) && error.code === "EEXIST") return;
    if (!isSystemError(error) || error.code !== "ENOENT" || dirname(path) === path) throw error;
    await makeDirectory(dirname(path));
    await mkdir(path).catch((cause: unknown) => {
      if (!isSystemError(cause) || cause.code !== "EEXIST") throw cause;
    });
  }
}
