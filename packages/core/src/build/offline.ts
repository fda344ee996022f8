import { UndockedError, type Descriptor } from "@undocked/registry";
import { diagnosticsOf, faults } from "./faults.ts";

/** What an offline build needs is not in the cache. */
export class OfflineError extends UndockedError<"OFFLINE_MISSING"> {}

/** Keeps account of what a build without a network misses, so that it is told together. */
export interface Offline {
  /** A name that was never asked for, or a URL. */
  missingName(name: string, kind: "image" | "url"): OfflineError;
  /** @param what - `manifest`, `layer` */
  missingContent(what: string, target: Descriptor, of: string): OfflineError;
  /** All that is missing, if one such thing was why the build ended. */
  together(error: unknown): unknown;
}

/** @param directory - the cache, for messages; absent where there is none */
export function offlineLedger(directory: string | undefined): Offline {
  const cache = directory === undefined ? "the cache, as there is none" : `the cache ${directory}`;
  const missing = new Map<string, OfflineError>();

  function note(message: string, hint: string): OfflineError {
    const error = missing.get(message) ?? new OfflineError("OFFLINE_MISSING", message, { hint });
    missing.set(message, error);
    return error;
  }

  return {
    missingName(name, kind) {
      return kind === "image"
        ? note(
            `What the image ${name} is, is not in ${cache}.`,
            "Build once without offline, or give the image as a layout, by a named context oci-layout://DIRECTORY:TAG.",
          )
        : note(
            `The file ${name} is not in ${cache}.`,
            "Build once without offline: a file that ADD names with --checksum is kept then.",
          );
    },
    missingContent(what, target, of) {
      const hint =
        what === "layer"
          ? "Build once without offline with an output such as oci-archive: layers that are fetched whole are kept then."
          : "Build once without offline, for the same platforms.";
      return note(`The ${what} ${target.digest} (${target.size} bytes) of ${of} is not in ${cache}.`, hint);
    },
    together(error) {
      if (!(error instanceof OfflineError) || missing.size < 2) return error;
      const found = faults();
      for (const message of [...missing.keys()].sort())
        for (const diagnostic of diagnosticsOf(missing.get(message) ?? error)) found.add(diagnostic);
      return found.error();
    },
  };
}
