import { ContentError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { digestOf, isDigest, type Digest } from "../oci/digest.ts";
import { referrersAmong } from "./referrers.ts";
import type { LocalStore, ReferrerSource, Resolver, Tagger } from "./store.ts";
import { unknownContent } from "./unknown-content.ts";
import { abortable, contentOf, readAll, verified } from "./verify.ts";

/** A store that lies in memory, and goes with the process. */
export interface MemoryStore extends LocalStore, Resolver, Tagger, ReferrerSource {}

/** Keeps content in memory: for tests, and for images that are small. */
export function memoryStore(): MemoryStore {
  const blobs = new Map<Digest, { readonly mediaType: string; readonly bytes: Uint8Array }>();
  const roots = new Map<string, Descriptor>();
  const store: MemoryStore = {
    async *fetch(target, options) {
      options?.signal?.throwIfAborted();
      const blob = blobs.get(target.digest);
      if (blob === undefined) throw unknownContent(target);
      yield* verified(target, contentOf(blob.bytes));
    },
    async exists(target) {
      return blobs.has(target.digest);
    },
    async push(expected, content, options) {
      if (blobs.has(expected.digest)) return;
      const bytes = await readAll(abortable(verified(expected, content), options?.signal));
      blobs.set(expected.digest, { mediaType: expected.mediaType, bytes });
    },
    async ingest(mediaType, content, options) {
      const bytes = await readAll(abortable(content, options?.signal));
      const digest = digestOf(bytes);
      blobs.set(digest, { mediaType, bytes });
      return { mediaType, digest, size: bytes.byteLength };
    },
    async resolve(reference) {
      const root = roots.get(reference);
      if (root !== undefined) return root;
      const blob = isDigest(reference) ? blobs.get(reference) : undefined;
      if (isDigest(reference) && blob !== undefined) {
        return { mediaType: blob.mediaType, digest: reference, size: blob.bytes.byteLength };
      }
      throw new ContentError(
        "MANIFEST_UNKNOWN",
        `Nothing is named ${JSON.stringify(reference)} in this store.`,
      );
    },
    async tag(target, reference) {
      if (!blobs.has(target.digest)) throw unknownContent(target);
      roots.set(reference, target);
    },
    referrers(subject, options) {
      const all = [...blobs].map(([digest, { mediaType, bytes }]) => ({
        mediaType,
        digest,
        size: bytes.byteLength,
      }));
      return referrersAmong(all, store, subject, options);
    },
  };
  return store;
}
