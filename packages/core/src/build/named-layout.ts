import { ociLayout, type BlobSource, type Resolver } from "@undocked/registry";
import { ContextError } from "../context/context-error.ts";
import { isSystemError } from "./system-error.ts";

/**
 * A layout whose directory somebody named, to be read; what the operating system refuses there becomes an error that names it.
 *
 * @throws {ContextError} `FILE_UNREADABLE`, from each call
 */
export function namedLayout(directory: string): BlobSource & Resolver {
  const layout = ociLayout(directory);
  const refused = (error: unknown): unknown =>
    isSystemError(error)
      ? new ContextError("FILE_UNREADABLE", `${directory} cannot be read: ${error.message}.`, {
          hint: "Correct the path, or let the user who builds read what is there.",
          cause: error,
        })
      : error;
  const reading = async <T>(work: Promise<T>): Promise<T> =>
    await work.catch((error: unknown) => {
      throw refused(error);
    });
  return {
    async *fetch(target, call) {
      try {
        yield* layout.fetch(target, call);
      } catch (error) {
        throw refused(error);
      }
    },
    exists: (target, call) => reading(layout.exists(target, call)),
    resolve: (reference, call) => reading(layout.resolve(reference, call)),
  };
}
