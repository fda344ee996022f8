import type { TarMember } from "./header.ts";

/** What a hostile archive may cost. */
export interface TarLimits {
  /** Members in all. Default 1,000,000. */
  readonly members?: number;
  /** Bytes of one pax or GNU header record. Default 1 MiB. */
  readonly metadata?: number;
  /** Bytes of the whole archive. Default 64 GiB. */
  readonly total?: number;
}

/**
 * The members of a tar, in its order: ustar, pax and GNU long names. Bytes after the end marker are ignored.
 *
 * @throws {FormatError} `TAR_INVALID` for a damaged or truncated archive, an unknown kind of member, or a limit passed
 */
export declare function readTar(
  chunks: AsyncIterable<Uint8Array>,
  limits?: TarLimits,
): AsyncGenerator<TarMember, void, void>;
