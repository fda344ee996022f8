import type { TarEntry } from "./header.ts";

/**
 * A tar of the entries, in the order given: ustar headers, pax records only where ustar is too small. The same entries
 * give the same bytes.
 *
 * @throws {FormatError} `TAR_INVALID` when a body is not as long as its header says, or a value cannot be written
 */
export declare function writeTar(
  entries: Iterable<TarEntry> | AsyncIterable<TarEntry>,
): AsyncGenerator<Uint8Array, void, void>;
