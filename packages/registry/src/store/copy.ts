import { UndockedError } from "../errors.ts";
import type { DocumentTypes } from "../oci/convert.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { children } from "../oci/manifest.ts";
import { isForeignLayerType } from "../oci/media-type.ts";
import { forEachOf, slots } from "./concurrency.ts";
import { convertImage } from "./convert-image.ts";
import { graphDepthLimit, isDocument, readDocument, tooDeep } from "./graph.ts";
import { referrerGraph } from "./referrers.ts";
import {
  replayable,
  type BatchTagger,
  type BlobSink,
  type BlobSource,
  type CallOptions,
  type Mounter,
  type ReferrerSource,
  type Resolver,
  type Tagger,
} from "./store.ts";
import { contentOf } from "./verify.ts";

/** Where a graph can be copied to; what it can do beyond taking content is made use of. */
export type CopyTarget = BlobSink &
  Partial<Pick<BlobSource, "exists">> &
  Partial<Mounter> &
  Partial<Resolver> &
  Partial<Tagger> &
  Partial<BatchTagger> &
  Partial<ReferrerSource>;

/** What became of one blob or manifest. */
export type CopyEvent =
  | { readonly kind: "exists" | "mounted" | "copied"; readonly target: Descriptor }
  /** Bytes handed over so far; it begins again at 0 when an upload is tried again. */
  | { readonly kind: "progress"; readonly target: Descriptor; readonly bytes: number };

export interface CopyOptions {
  /** What the root is named in the target. Default: nothing. */
  readonly tags?: readonly string[];
  /** How many blobs are under way at once. Default: 4. */
  readonly concurrency?: number;
  /** The repository of the target's registry that has a blob already. */
  readonly mountFrom?: (target: Descriptor) => string | undefined;
  /** Copies what refers to the image too: signatures, attestations. Both sides must know of such. Default: `false`. */
  readonly referrers?: boolean;
  /** Gives the manifests these media types, and thereby other digests. Default: they are kept as they are. */
  readonly convert?: DocumentTypes;
  /**
   * Whether layers that must not be distributed are copied as others are; the source must have them, or fetch them. Default:
   * `skip`.
   */
  readonly foreignLayers?: "skip" | "copy";
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: CopyEvent) => void;
}

/**
 * Copies an image, an index or an artifact with everything that it points to, each thing after what it points to, and then
 * names it. What the target has is not sent again, so that a copy that was stopped goes on where it stopped; of a manifest
 * that it has, the children are not asked for. Layers that must not be distributed are left out,
 * unless they are asked for.
 *
 * Stops at the first error, and ends once nothing is under way any more.
 *
 * @returns the root as the target has it: another one than was given if it was converted
 */
export async function copyImage(
  root: Descriptor,
  from: BlobSource & Partial<ReferrerSource>,
  to: CopyTarget,
  options: CopyOptions = {},
): Promise<Descriptor> {
  const { signal, convert } = options;
  checkAbilities(from, to, options);
  if (convert === undefined) return await copyRoot(root, from, to, options);
  const converted = await convertImage(root, from, convert, callOptions(signal));
  return await copyRoot(converted.root, converted.source, to, options);
}

function checkAbilities(
  from: Partial<ReferrerSource>,
  to: CopyTarget,
  { tags = [], referrers = false, convert }: CopyOptions,
): void {
  if (tags.length > 0 && to.tag === undefined) throw new TypeError("The target of the copy takes no tags.");
  if (!referrers) return;
  if (convert !== undefined)
    throw new TypeError("What refers to an image does not refer to a converted one.");
  if (from.referrers === undefined) throw new TypeError("The source of the copy knows no referrers.");
  if (to.referrers === undefined) throw new TypeError("The target of the copy keeps no referrers.");
}

async function copyRoot(
  root: Descriptor,
  from: BlobSource & Partial<ReferrerSource>,
  to: CopyTarget,
  options: CopyOptions,
): Promise<Descriptor> {
  const { tags = [], signal, referrers = false } = options;
  const wanted: string[] = [];
  for (const tag of tags) if (!(await hasTag(to, tag, root, signal))) wanted.push(tag);
  const copy = graphCopier(from, to, options);
  // The same image again is one request a tag, and no error where tags cannot be moved.
  if (tags.length > 0 && wanted.length === 0) options.onEvent?.({ kind: "exists", target: root });
  else await copy(root);
  if (referrers && isReferring(from)) {
    for await (const referrer of referrerGraph(root, from, callOptions(signal))) await copy(referrer);
  }
  // Last, so that who finds the name finds everything.
  await tagAs(to, root, wanted, callOptions(signal));
  return root;
}

async function tagAs(
  to: CopyTarget,
  root: Descriptor,
  tags: readonly string[],
  options: CallOptions,
): Promise<void> {
  if (tags.length > 1 && to.tagAll !== undefined) await to.tagAll(root, tags, options);
  else for (const tag of tags) await to.tag?.(root, tag, options);
}

function isReferring(from: BlobSource & Partial<ReferrerSource>): from is BlobSource & ReferrerSource {
  return from.referrers !== undefined;
}

function callOptions(signal: AbortSignal | undefined): CallOptions {
  return signal === undefined ? {} : { signal };
}

async function hasTag(
  to: CopyTarget,
  tag: string,
  root: Descriptor,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  signal?.throwIfAborted();
  if (to.resolve === undefined) return false;
  try {
    const found = await to.resolve(tag, callOptions(signal));
    return found.digest === root.digest;
  } catch (error) {
    // DENIED: some credentials may push and not read.
    const absent: readonly string[] = ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "DENIED"];
    if (error instanceof UndockedError && absent.includes(error.code)) return false;
    throw error;
  }
}

/** Copies roots with what they point to; what one of them brought is not asked for again for the next. */
function graphCopier(
  from: BlobSource,
  to: CopyTarget,
  options: CopyOptions,
): (root: Descriptor) => Promise<void> {
  const stop = new AbortController();
  const { concurrency = 4, mountFrom, foreignLayers = "skip", onEvent = () => {} } = options;
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const transfers = slots(concurrency);
  const begun = new Map<Digest, Promise<void>>();

  const once = (target: Descriptor, work: () => Promise<void>): Promise<void> => {
    const under = begun.get(target.digest);
    if (under !== undefined) return under;
    const done = work().catch((error: unknown) => {
      stop.abort(error);
      throw error;
    });
    begun.set(target.digest, done);
    return done;
  };

  const present = async (target: Descriptor): Promise<boolean> => {
    signal.throwIfAborted();
    if (!(await to.exists?.(target, { signal }))) return false;
    onEvent({ kind: "exists", target });
    return true;
  };

  const send = async (target: Descriptor, open: () => AsyncIterable<Uint8Array>): Promise<void> => {
    signal.throwIfAborted();
    const content = replayable(() =>
      reported(open(), (bytes) => onEvent({ kind: "progress", target, bytes })),
    );
    await to.push(target, content, { signal });
    onEvent({ kind: "copied", target });
  };

  const copyBlob = (target: Descriptor): Promise<void> =>
    once(target, () =>
      transfers.run(async () => {
        if (await present(target)) return;
        const origin = mountFrom?.(target);
        if (origin !== undefined && (await to.mount?.(target, origin, { signal })) === true) {
          onEvent({ kind: "mounted", target });
          return;
        }
        await send(target, () => from.fetch(target, { signal }));
      }),
    );

  const copyDocument = (target: Descriptor, depth: number): Promise<void> =>
    once(target, async () => {
      if (await transfers.run(() => present(target))) return;
      const { bytes, document } = await transfers.run(() => readDocument(from, target, { signal }));
      if (depth > graphDepthLimit) throw tooDeep(target);
      // Inner indexes go one by one: what is held of manifests stays within the concurrency.
      const limit = document.kind === "index" && depth > 0 ? 1 : concurrency;
      await forEachOf(children(document), limit, (child) => {
        if (foreignLayers === "skip" && isForeignLayerType(child.mediaType)) return Promise.resolve();
        return document.kind === "index" && isDocument(child)
          ? copyDocument(child, depth + 1)
          : copyBlob(child);
      });
      await transfers.run(() => send(target, () => contentOf(bytes)));
    });

  return async (root) => {
    try {
      await (isDocument(root) ? copyDocument(root, 0) : copyBlob(root));
    } catch (error) {
      // What comes back first may be another part's end: the one that all were stopped for is the reason.
      throw stop.signal.aborted ? stop.signal.reason : error;
    }
  };
}

async function* reported(
  content: AsyncIterable<Uint8Array>,
  report: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, void> {
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.byteLength;
    report(bytes);
    yield chunk;
  }
}
