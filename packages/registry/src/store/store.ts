import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";

/** What every call takes that can wait. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/**
 * Where content can be read from.
 *
 * `fetch` verifies digest and size while bytes pass and throws `DIGEST_MISMATCH` or `SIZE_MISMATCH` before its end: no
 * completed read of wrong bytes exists. Content that is not there is `BLOB_UNKNOWN` or `MANIFEST_UNKNOWN`.
 */
export interface BlobSource {
  fetch(target: Descriptor, options?: CallOptions): AsyncIterable<Uint8Array>;
  exists(target: Descriptor, options?: CallOptions): Promise<boolean>;
}

/** What is known before a push. */
export interface PushOptions extends CallOptions {
  /** Says that the target has just been asked, and does not have it. Default: it is asked where that can spare the sending. */
  readonly known?: "absent";
  /** What a {@link Mounter} has opened for this content, to be used for it. Default: the target opens one if it needs to. */
  readonly upload?: OpenedUpload;
}

/** An upload that a registry has opened for content that it did not take over. Disposing gives it up, unless it was used. */
export type OpenedUpload = AsyncDisposable;

/**
 * Where content can be written to. What is there already is not written again. Nothing half-written is left behind.
 * Manifests go the same way as blobs; their media type tells.
 */
export interface BlobSink {
  push(expected: Descriptor, content: AsyncIterable<Uint8Array>, options?: PushOptions): Promise<void>;
}

/** Gives the root that a tag or a digest stands for. */
export interface Resolver {
  resolve(reference: string, options?: CallOptions): Promise<Descriptor>;
}

/** Says what a tag or a digest stands for without asking why it is nothing. */
export interface Finder {
  find(reference: string, options?: CallOptions): Promise<Descriptor | undefined>;
}

/** Names a root that is in the store. */
export interface Tagger {
  tag(target: Descriptor, reference: string, options?: CallOptions): Promise<void>;
}

/** Takes a root together with its names, whether it is there or not: a registry in one request, if it can for several. */
export interface NamedSink {
  pushNamed(
    expected: Descriptor,
    content: AsyncIterable<Uint8Array>,
    references: readonly string[],
    options?: CallOptions,
  ): Promise<void>;
}

/** What becomes of a mount that is refused. */
export interface MountOptions extends CallOptions {
  /** Is given the upload that was opened instead, if there is one, and sees to its end. Default: it is given up. */
  readonly onUpload?: (upload: OpenedUpload) => void;
}

/** A registry's shortcut: takes a blob over from another of its repositories. `false`: it has to be sent. */
export interface Mounter {
  mount(target: Descriptor, from: string, options?: MountOptions): Promise<boolean>;
}

/** Which referrers are wanted. */
export interface ReferrersOptions extends CallOptions {
  /** Only those of this type. */
  readonly artifactType?: string;
}

/** Knows what refers to a manifest by its `subject`: signatures, attestations, lists of contents. */
export interface ReferrerSource {
  referrers(subject: Digest, options?: ReferrersOptions): AsyncIterable<Descriptor>;
}

/** A store that finds digest and size itself. */
export interface LocalStore extends BlobSource, BlobSink {
  ingest(mediaType: string, content: AsyncIterable<Uint8Array>, options?: CallOptions): Promise<Descriptor>;
}

/** Content that can be read again from its start: what lets an upload be tried again. */
export interface ReplayableContent extends AsyncIterable<Uint8Array> {
  readonly replayable: true;
  /** Of content that every reading verifies, as a source's `fetch` does: who sends it to a registry need not hash it once more. */
  readonly verified?: Digest;
}

/**
 * Content that can be read again, so that an upload which is cut off can begin anew.
 *
 * @param open - called anew for every reading
 * @param verified - the digest, if what is opened throws before the end of anything else
 */
export function replayable(open: () => AsyncIterable<Uint8Array>, verified?: Digest): ReplayableContent {
  return {
    replayable: true,
    ...(verified === undefined ? {} : { verified }),
    [Symbol.asyncIterator]: () => open()[Symbol.asyncIterator](),
  };
}

/** Whether content can be read again. */
export function isReplayable(content: AsyncIterable<Uint8Array>): content is ReplayableContent {
  return "replayable" in content && content.replayable === true;
}
