import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import { children, type ManifestDocument } from "../oci/manifest.ts";
import { isForeignLayerType } from "../oci/media-type.ts";
import { forEachOf, slots } from "./concurrency.ts";
import { graphDepthLimit, isDocument, readDocument, tooDeep } from "./graph.ts";
import {
  replayable,
  type BlobSink,
  type BlobSource,
  type Finder,
  type Mounter,
  type NamedSink,
  type OpenedUpload,
  type PushOptions,
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
  Partial<Finder> &
  Partial<Tagger> &
  Partial<NamedSink> &
  Partial<ReferrerSource>;

/** What became of one blob or manifest. */
export type CopyEvent =
  | { readonly kind: "exists" | "mounted" | "copied"; readonly target: Descriptor }
  /** Bytes handed over so far; it begins again at 0 when an upload is tried again. */
  | { readonly kind: "progress"; readonly target: Descriptor; readonly bytes: number };

/** How what a root points to is copied. */
export interface GraphCopyOptions {
  /** How many blobs are under way at once. Default: 4. */
  readonly concurrency?: number;
  /** The repository of the target's registry that has a blob already. */
  readonly mountFrom?: (target: Descriptor) => string | undefined;
  /**
   * Documents that the target will hardly have: they are asked for, and the root by its tags, only once the target has what
   * they cannot be without. Default: none.
   */
  readonly isNew?: (target: Descriptor) => boolean;
  /**
   * Whether layers that must not be distributed are copied as others are; the source must have them, or fetch them. Default:
   * `skip`.
   */
  readonly foreignLayers?: "skip" | "copy";
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: CopyEvent) => void;
}

/** How a document is asked for, and put. */
export interface Ending {
  isThere(): Promise<boolean>;
  put(content: AsyncIterable<Uint8Array>): Promise<void>;
}

export const DEFAULT_CONCURRENCY = 4;

type Outcome = Exclude<CopyEvent["kind"], "progress">;

/** What came of a blob that another repository may have. Without an outcome it has to be sent. */
interface TakenOver {
  readonly outcome?: Outcome;
  readonly upload?: OpenedUpload;
}

/** Copies roots with what they point to; what one of them brought is not asked for again for the next. */
export function graphCopier(
  from: BlobSource,
  to: CopyTarget,
  options: GraphCopyOptions,
): (root: Descriptor, ending?: Ending) => Promise<void> {
  const stop = new AbortController();
  const { concurrency = DEFAULT_CONCURRENCY, mountFrom, isNew, foreignLayers = "skip" } = options;
  const { onEvent = () => {} } = options;
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const transfers = slots(concurrency);
  const begun = new Map<Digest, Promise<Outcome>>();
  const asked = new Map<Digest, Promise<boolean>>();
  // Of each repository that blobs may be taken over from, whether to ask for them before: the first of them tells of the others.
  const asksFirst = new Map<string, Promise<boolean>>();

  const once = (target: Descriptor, work: () => Promise<Outcome>): Promise<Outcome> => {
    const under = begun.get(target.digest);
    if (under !== undefined) return under;
    const done = work().then(
      (kind) => {
        onEvent({ kind, target });
        return kind;
      },
      (error: unknown) => {
        stop.abort(error);
        throw error;
      },
    );
    begun.set(target.digest, done);
    return done;
  };

  const isThere = (target: Descriptor): Promise<boolean> => {
    signal.throwIfAborted();
    const known = asked.get(target.digest);
    if (known !== undefined) return known;
    const answer = to.exists?.(target, { signal }) ?? Promise.resolve(false);
    asked.set(target.digest, answer);
    return answer;
  };

  const known = to.exists === undefined ? {} : ({ known: "absent" } as const);
  const push = async (
    target: Descriptor,
    content: AsyncIterable<Uint8Array>,
    more: Pick<PushOptions, "upload"> = {},
  ): Promise<void> => {
    signal.throwIfAborted();
    await to.push(target, content, { signal, ...known, ...more });
  };

  const told = (target: Descriptor, open: () => AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> =>
    replayable(() => reported(open(), (bytes) => onEvent({ kind: "progress", target, bytes })));

  /** Asks for the first blob of a repository; where that is missing, the others are taken over without a question. */
  const takeOver = async (target: Descriptor, origin: string): Promise<TakenOver> => {
    const first = asksFirst.get(origin);
    if (first === undefined) asksFirst.set(origin, isThere(target));
    const isLikelyThere = first === undefined || (await first);
    if (isLikelyThere && (await isThere(target))) return { outcome: "exists" };
    signal.throwIfAborted();
    let upload: OpenedUpload | undefined;
    const onUpload = (opened: OpenedUpload): void => void (upload = opened);
    if ((await to.mount?.(target, origin, { signal, onUpload })) === true) return { outcome: "mounted" };
    asksFirst.set(origin, Promise.resolve(true));
    return upload === undefined ? {} : { upload };
  };

  const copyBlob = (target: Descriptor): Promise<Outcome> =>
    once(target, () =>
      transfers.run(async () => {
        const origin = to.mount === undefined ? undefined : mountFrom?.(target);
        const { outcome, upload } = origin === undefined ? {} : await takeOver(target, origin);
        if (outcome !== undefined) return outcome;
        await using opened = upload;
        if (await isThere(target)) return "exists";
        const content = told(target, () => from.fetch(target, { signal }));
        await push(target, content, opened === undefined ? {} : { upload: opened });
        return "copied";
      }),
    );

  const copyChildren = async (document: ManifestDocument, depth: number): Promise<readonly Outcome[]> => {
    const outcomes: Outcome[] = [];
    // Inner indexes go one by one: what is held of manifests stays within the concurrency.
    const limit = document.kind === "index" && depth > 0 ? 1 : concurrency;
    await forEachOf(children(document), limit, async (child) => {
      if (foreignLayers === "skip" && isForeignLayerType(child.mediaType)) return;
      const isInner = document.kind === "index" && isDocument(child);
      outcomes.push(await (isInner ? copyDocument(child, depth + 1) : copyBlob(child)));
    });
    return outcomes;
  };

  const ordinary = (target: Descriptor): Ending => ({
    isThere: () => transfers.run(() => isThere(target)),
    put: (content) => transfers.run(() => push(target, content)),
  });

  const copyDocument = (target: Descriptor, depth: number, ending = ordinary(target)): Promise<Outcome> =>
    once(target, async () => {
      const isLate = isNew?.(target) === true;
      if (!isLate && (await ending.isThere())) return "exists";
      const { bytes, document } = await transfers.run(() => readDocument(from, target, { signal }));
      if (depth > graphDepthLimit) throw tooDeep(target);
      // No image is there without its configuration, whatever its name, and no index without all of its images.
      if (isLate && document.kind === "manifest") {
        const { config } = document.manifest;
        if ((await transfers.run(() => isThere(config))) && (await ending.isThere())) return "exists";
      }
      const outcomes = await copyChildren(document, depth);
      if (isLate && document.kind === "index" && outcomes.every((outcome) => outcome === "exists")) {
        if (await ending.isThere()) return "exists";
      }
      signal.throwIfAborted();
      await ending.put(told(target, () => contentOf(bytes)));
      return "copied";
    });

  return async (root, ending) => {
    try {
      await (isDocument(root) ? copyDocument(root, 0, ending) : copyBlob(root));
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
