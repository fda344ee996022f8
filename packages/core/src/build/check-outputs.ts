import { access, constants, readdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { makeDirectory } from "./make-directory.ts";
import type { Output } from "./options.ts";
import { isSystemError, PlaceError, writingTo } from "./system-error.ts";

/**
 * Makes sure that every output can be written, before there is work that would be lost.
 *
 * @throws {PlaceError} `OUTPUT_UNWRITABLE`
 */
export async function checkOutputs(outputs: readonly Output[]): Promise<void> {
  for (const { type, path } of outputs) {
    const parent = dirname(path);
    const hint = "Name a path whose directory can be written.";
    await writingTo("OUTPUT_UNWRITABLE", path, hint, async () => {
      await makeDirectory(parent);
      await access(parent, constants.W_OK | constants.X_OK);
    });
    const there = await kindOf(path);
    if (there === undefined) continue;
    if (type === "oci-layout") await checkLayout(path, there);
    else if (there === "directory") throw taken(path, "is a directory", "Name a file.");
  }
}

async function checkLayout(path: string, kind: "directory" | "other"): Promise<void> {
  if (kind === "other")
    throw taken(path, "is not a directory", "Name a directory, or one that is to be made.");
  const names = await readdir(path);
  if (names.length === 0 || names.includes("oci-layout")) return;
  throw taken(
    path,
    "has files and is no OCI layout",
    "Name an empty directory, a layout, or one that is to be made.",
  );
}

function taken(path: string, what: string, hint: string): PlaceError {
  return new PlaceError("OUTPUT_UNWRITABLE", `${path} ${what}.`, { hint });
}

async function kindOf(path: string): Promise<"directory" | "other" | undefined> {
  try {
    return (await stat(path)).isDirectory() ? "directory" : "other";
  } catch (error) {
    if (isSystemError(error) && error.code === "ENOENT") return undefined;
    throw error;
  }
}
