/** Bytes of the tar that are compressed by themselves in byte format 1 (docs/byte-format.md). */
export const BLOCK_SIZE: number = 2 * 1024 * 1024;

/** RFC 1951, 3.2.4: bytes that a stored piece has at most. */
export const MOST_STORED = 0xffff;

/** Bytes that a full block has when it is stored, each piece after 5 of its own. */
export const STORED_SIZE: number = BLOCK_SIZE + 5 * Math.ceil(BLOCK_SIZE / MOST_STORED);
