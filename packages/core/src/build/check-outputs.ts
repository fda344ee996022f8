import { readdir } from "node:fs/promises";
import { checkWritable, type Destination } from "@undocked/registry/files";
import type { Output } from "./options.ts";
import { atOutput } from "./output-place.ts";
import { PlaceError } from "./system-error.ts";

/**
 * Makes sure that every output can be written, before there is work that would be lost.
 *
 * @throws {PlaceError} `OUTPUT_UNWRITABLE`
 */
export async function checkOutputs(outputs: readonly Output[]): Promise<void> {
  for (const output of outputs) {
    await atOutput(output, async (destination) => {
      if (output.type === "oci-layout") await checkLayout(output.path, destination);
      else if (destination.kind === "directory") throw taken(output.path, "is a directory", "Name a file.");
      await checkWritable(destination);
    });
  }
}

async function checkLayout(path: string, { kind }: Destination): Promise<void> {
  if (kind === "nothing") return;
  if (kind !== "directory")
    throw taken(path, "is not a directory", "Name a directory, or one that is to be made.");
  const names = await readdir(path);
  if (names.includes("oci-layout") || names.every((name) => BEGINNING.test(name))) return;
  throw taken(
    path,
    "has files and is no OCI layout",
    "Name an empty directory, a layout, or one that is to be made.",
  );
}

/** How the name of a directory begins in which a build makes a layout of the one around it. */
export const LAYOUT_BEGUN = ".layout-";

/** What another build has in a directory that it is about to make a layout. */
const BEGINNING = /^(?:(?:index\.json|oci-layout)(?:\.[0-9a-f-]{36}\.tmp)?|blobs|\.layout-\w+)$/;

function taken(path: string, what: string, hint: string): PlaceError {
  return new PlaceError("OUTPUT_UNWRITABLE", `${path} ${what}.`, { hint });
}
