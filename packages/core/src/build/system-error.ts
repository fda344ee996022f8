import { resolve } from "node:path";
import { UndockedError } from "@undocked/registry";

/** A place of this machine where a build has to write refuses it. */
export class PlaceError extends UndockedError<
  "CACHE_UNUSABLE" | "OUTPUT_UNWRITABLE" | "TEMPORARY_UNUSABLE"
> {}

/** What the operating system refused, with the path that it was about. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "code" in error;
}

/** Runs what writes to a place; what the operating system refuses there becomes an error that names it. */
export async function writingTo<T>(
  code: PlaceError["code"],
  place: string,
  hint: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isSystemError(error) || !concerns(error, place)) throw error;
    throw new PlaceError(code, `${place} cannot be written: ${error.message}.`, { hint, cause: error });
  }
}

/** An error without a path, as of a full disk, is of the file that is being written. */
function concerns({ path }: NodeJS.ErrnoException, place: string): boolean {
  if (path === undefined) return true;
  // Of a directory, what is looked at is its own `.`.
  const refused = resolve(path);
  return refused.startsWith(place) || place.startsWith(refused);
}
