import { UndockedError } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { children } from "../oci/manifest.ts";
import { isForeignLayerType } from "../oci/media-type.ts";
import { forEachOf, slots } from "./concurrency.ts";
import { graphDepthLimit, isDocument, readDocument, tooDeep } from "./graph.ts";
import {
  replayable,
  type BlobSink,
  type BlobSource,
  type Mounter,
  type Resolver,
  type Tagger,
} from "./store.ts";
import { contentOf } from "./verify.ts";

/** Where a graph can be copied to; what it can do beyond taking content is made use of. */
export type CopyTarget = BlobSink &
  Partial<Pick<BlobSource, "exists">> &
  Partial<Mounter> &
  Partial<Resolver> &
  Partial<Tagger>;

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
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: CopyEvent) => void;
}

/**
 * Copies an image, an index or an artifact with everything that it points to, each thing after what it points to, and then
 * names it. What the target has is not sent again; of a manifest that it has, the children are not asked for. Layers that
 * must not be distributed are left out.
 *
 * Stops at the first error, and ends once nothing is under way any more.
 */
export async function copyImage(
  root: Descriptor,
  from: BlobSource,
  to: CopyTarget,
  options: CopyOptions = {},
): Promise<void> {
  const { tags = [], signal } = options;
  if (tags.length > 0 && to.tag === undefined) throw new TypeError("The target of the copy takes no tags.");
  const wanted: string[] = [];
  for (const tag of tags) if (!(await hasTag(to, tag, root, signal))) wanted.push(tag);
  // The same image again is one request a tag, and no error where tags cannot be moved.
  if (tags.length > 0 && wanted.length === 0) {
    options.onEvent?.({ kind: "exists", target: root });
    return;
  }
  const stop = new AbortController();
  await copyGraph(root, from, to, options, stop);
  for (const tag of wanted) await to.tag?.(root, tag, signal === undefined ? {} : { signal });
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
    const found = await to.resolve(tag, signal === undefined ? {} : { signal });
    return found.digest === root.digest;
  } catch (error) {
    // DENIED: some credentials may push and not read.
    const absent: readonly string[] = ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "DENIED"];
    if (error instanceof UndockedError && absent.includes(error.code)) return false;
    throw error;
  }
}

async function copyGraph(
  root: Descriptor,
  from: BlobSource,
  to: CopyTarget,
  options: CopyOptions,
  stop: AbortController,
): Promise<void> {
  const { concurrency = 4, mountFrom, onEvent = () => {} } = options;
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
      if (depth > graphDepthLimit) throw tooDeep(root);
      // Inner indexes go one by one: what is held of manifests stays within the concurrency.
      const limit = document.kind === "index" && depth > 0 ? 1 : concurrency;
      await forEachOf(children(document), limit, (child) => {
        if (isForeignLayerType(child.mediaType)) return Promise.resolve();
        return document.kind === "index" && isDocument(child)
          ? copyDocument(child, depth + 1)
          : copyBlob(child);
      });
      await transfers.run(() => send(target, () => contentOf(bytes)));
    });

  try {
    await (isDocument(root) ? copyDocument(root, 0) : copyBlob(root));
  } catch (error) {
    // What comes back first may be another part's end: the one that all were stopped for is the reason.
    throw stop.signal.aborted ? stop.signal.reason : error;
  }
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
