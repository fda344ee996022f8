import { createHash, type Hash } from "node:crypto";
import { FormatError } from "../errors.ts";

/** The algorithms that the image spec has registered and that are taken here. */
export type DigestAlgorithm = "sha256" | "sha512";

/** `algorithm:hex` of some bytes (OCI image-spec, descriptor.md#digests). Only {@link parseDigest} and hashing make one. */
export type Digest = `${DigestAlgorithm}:${string}`;

const PATTERN = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Whether a value is a digest: a known algorithm and as many lower-case hexadecimal digits as it has. */
export function isDigest(value: unknown): value is Digest {
  return typeof value === "string" && PATTERN.test(value);
}

/**
 * A text as a digest.
 *
 * @throws {FormatError} `DIGEST_INVALID`
 */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new FormatError("DIGEST_INVALID", `${JSON.stringify(text.slice(0, 200))} is not a digest.`, {
    hint: "Write sha256: and 64 lower-case hexadecimal digits.",
  });
}

/** What a digest was made by. */
export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

/** The hexadecimal part. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** The digest of bytes; of a text, of its UTF-8. */
export function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = "sha256"): Digest {
  return digestOfHash(createHash(algorithm).update(bytes), algorithm);
}

function digestOfHash(hash: Hash, algorithm: DigestAlgorithm): Digest {
  return `${algorithm}:${hash.digest("hex")}`;
}

/** Counts and hashes what passes. */
export interface Tally {
  /** Passes the chunks on as they came. */
  through(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void>;
  update(chunk: Uint8Array): void;
  /** Bytes so far. */
  size(): number;
  /** Of the bytes so far; more may follow. */
  digest(): Digest;
}

/** Counts and hashes bytes as they pass. */
export function tally(algorithm: DigestAlgorithm = "sha256"): Tally {
  const hash = createHash(algorithm);
  let size = 0;
  const update = (chunk: Uint8Array): void => {
    hash.update(chunk);
    size += chunk.byteLength;
  };
  return {
    async *through(chunks) {
      for await (const chunk of chunks) {
        update(chunk);
        yield chunk;
      }
    },
    update,
    size: () => size,
    digest: () => digestOfHash(hash.copy(), algorithm),
  };
}
