import type { Descriptor } from "../oci/descriptor.ts";
import { isDigest, type Digest } from "../oci/digest.ts";
import { isDocument } from "../store/graph.ts";
import {
  replayable,
  type CallOptions,
  type Finder,
  type LocalStore,
  type Mounter,
  type NamedSink,
  type ReferrerSource,
  type ReferrersOptions,
  type Resolver,
  type Tagger,
} from "../store/store.ts";
import { contentOf, verified } from "../store/verify.ts";
import { blobExists } from "./blob.ts";
import type { RepositoryContext, RepositoryName } from "./context.ts";
import { deadline } from "./deadline.ts";
import {
  fetchManifest,
  findManifest,
  manifestExists,
  resolveManifest,
  type FetchedManifest,
} from "./manifest.ts";
import { describeBlob } from "./describe-blob.ts";
import { foreignContent, hasOwnUrls } from "./foreign-layer.ts";
import { ingest } from "./ingest.ts";
import { listTags } from "./listing.ts";
import type { MirrorCapability } from "./hosts-toml.ts";
import { firstAnswer, firstContent, firstReferrers } from "./mirrored.ts";
import { mountBlob } from "./mount.ts";
import { tagManifest, tagManifestAll } from "./push-manifest.ts";
import { deleteWithSubject, pushNamedWithSubject, pushWithSubject } from "./subject.ts";
import { pushBlob, pushStream, type StreamOptions, type UploadOptions } from "./upload.ts";

/** One repository of a registry. Manifests and blobs go the same way; the media type tells them apart. */
export interface RemoteRepository
  extends LocalStore, Resolver, Finder, Tagger, NamedSink, Mounter, ReferrerSource {
  readonly reference: RepositoryName;
  /**
   * A manifest or an index by tag or digest: as it came, hashed here, and parsed.
   *
   * @throws {RegistryError} `MANIFEST_UNKNOWN`, `NAME_UNKNOWN`, and what any request can throw
   * @throws {ContentError} `DIGEST_MISMATCH` where it is not what its digest says
   * @throws {FormatError} `MANIFEST_INVALID`
   */
  fetchManifest(reference: string, options?: CallOptions): Promise<FetchedManifest>;
  /**
   * A blob by its digest alone, to be fetched.
   *
   * @throws {RegistryError} `BLOB_UNKNOWN`; `REGISTRY_PROTOCOL` where the registry does not tell its size
   */
  describeBlob(digest: Digest, options?: CallOptions): Promise<Descriptor>;
  /**
   * Sends a blob while it is made, in one request. What was sent is not kept here: where that fails the upload is given up.
   *
   * @param describe - asked for at the content's end; the registry checks the digest
   */
  pushStream(
    content: AsyncIterable<Uint8Array>,
    describe: () => Promise<Descriptor>,
    options?: StreamOptions,
  ): Promise<void>;
  /** Gives a manifest several names in one request, where the registry can. Names that stand there already are left alone. */
  tagAll(target: Descriptor, references: readonly string[], options?: CallOptions): Promise<void>;
  /** All tags, in the registry's order. */
  tags(options?: CallOptions): AsyncIterable<string>;
  /** What refers to a manifest by its `subject`; by tag where the registry has no API for it. */
  referrers(subject: Digest, options?: ReferrersOptions): AsyncIterable<Descriptor>;
  /** A manifest or blob by its descriptor, or a tag. `false`: it was not there. */
  delete(target: Descriptor | string, options?: CallOptions): Promise<boolean>;
}

/** The places that a repository's content is at. */
export interface RepositoryPlaces {
  /** The registry itself: all that is written goes there, and nowhere else. */
  readonly open: (access: "read" | "write", options: CallOptions) => Promise<RepositoryContext>;
  /** Where to read, in the order to ask; the registry is the last. */
  readonly readers: (
    capability: MirrorCapability,
    options: CallOptions,
  ) => Promise<readonly RepositoryContext[]>;
}

export interface RepositoryOptions {
  readonly upload?: UploadOptions;
  readonly totalMs?: number;
  /** Whether a layer that the registry does not have is fetched from its own URLs. Default: `never`. */
  readonly foreignLayers?: "fetch" | "never";
}

export function remoteRepository(
  name: RepositoryName,
  { open, readers }: RepositoryPlaces,
  { upload = {}, totalMs, foreignLayers = "never" }: RepositoryOptions,
): RemoteRepository {
  const { registry, repository } = name;
  return {
    reference: { registry, repository },
    async *fetch(target, options = {}) {
      using limit = deadline(options, totalMs);
      const places = await readers("pull", limit);
      if (isDocument(target)) {
        const { bytes } = await firstAnswer(places, limit, (place) =>
          fetchManifest(place, target.digest, limit, target),
        );
        if (bytes.byteLength > 0) yield bytes;
      } else {
        const content = firstContent(places, target, limit);
        const elsewhere = foreignLayers === "fetch" && hasOwnUrls(target);
        yield* verified(
          target,
          elsewhere ? foreignContent(await open("read", limit), target, content, limit) : content,
        );
      }
    },
    async exists(target, options = {}) {
      using limit = deadline(options, totalMs);
      const context = await open("read", limit);
      return isDocument(target)
        ? await manifestExists(context, target.digest, limit)
        : await blobExists(context, target, limit);
    },
    async push(expected, content, options = {}) {
      using limit = deadline(options, totalMs);
      const context = await open("write", limit);
      if (isDocument(expected)) await pushWithSubject(context, expected, content, { ...options, ...limit });
      else await pushBlob(context, expected, content, upload, { ...options, ...limit });
    },
    async pushNamed(expected, content, references, options = {}) {
      using limit = deadline(options, totalMs);
      await pushNamedWithSubject(await open("write", limit), expected, content, references, limit);
    },
    async ingest(mediaType, content, options = {}) {
      using limit = deadline(options, totalMs);
      const context = await open("write", limit);
      return await ingest(context, mediaType, content, upload, limit, async (found, bytes) => {
        const again = replayable(() => contentOf(bytes));
        if (isDocument(found)) await pushWithSubject(context, found, again, limit);
        else await pushBlob(context, found, again, upload, limit);
      });
    },
    async pushStream(content, describe, options = {}) {
      using limit = deadline(options, totalMs);
      await pushStream(await open("write", limit), content, describe, { ...options, ...limit });
    },
    async resolve(reference, options = {}) {
      using limit = deadline(options, totalMs);
      const places = await readers(isDigest(reference) ? "pull" : "resolve", limit);
      return await firstAnswer(places, limit, (place) => resolveManifest(place, reference, limit));
    },
    async find(reference, options = {}) {
      using limit = deadline(options, totalMs);
      return await findManifest(await open("read", limit), reference, limit);
    },
    async tag(target, reference, options = {}) {
      using limit = deadline(options, totalMs);
      await tagManifest(await open("write", limit), target, reference, limit);
    },
    async tagAll(target, references, options = {}) {
      using limit = deadline(options, totalMs);
      await tagManifestAll(await open("write", limit), target, references, limit);
    },
    async mount(target, from, options = {}) {
      using limit = deadline(options, totalMs);
      return await mountBlob(await open("write", limit), target, from, { ...options, ...limit });
    },
    async fetchManifest(reference, options = {}) {
      using limit = deadline(options, totalMs);
      const places = await readers(isDigest(reference) ? "pull" : "resolve", limit);
      return await firstAnswer(places, limit, (place) => fetchManifest(place, reference, limit));
    },
    async describeBlob(digest, options = {}) {
      using limit = deadline(options, totalMs);
      return await describeBlob(await open("read", limit), digest, limit);
    },
    async *tags(options = {}) {
      using limit = deadline(options, totalMs);
      yield* listTags(await open("read", limit), limit);
    },
    async *referrers(subject, options = {}) {
      using limit = deadline(options, totalMs);
      yield* firstReferrers(await readers("referrers", limit), subject, { ...options, ...limit });
    },
    async delete(target, options = {}) {
      using limit = deadline(options, totalMs);
      return await deleteWithSubject(await open("write", limit), target, limit);
    },
  };
}
