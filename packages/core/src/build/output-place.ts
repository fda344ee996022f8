import { destinationOf, type Destination } from "@undocked/registry/files";
import type { Output } from "./options.ts";
import { writingTo } from "./system-error.ts";

/**
 * Runs what looks at the place of an output or writes there. What its links lead to may be refused as well as its own name.
 *
 * @throws {PlaceError} `OUTPUT_UNWRITABLE`
 */
export async function atOutput(
  { path }: Output,
  work: (destination: Destination) => Promise<void>,
): Promise<void> {
  const hint = "Name a path whose directory can be written, on a disk with room.";
  await writingTo("OUTPUT_UNWRITABLE", path, hint, async () => {
    const destination = await destinationOf(path);
    await writingTo("OUTPUT_UNWRITABLE", destination.path, hint, () => work(destination));
  });
}
