import {
  replayable,
  tally,
  UndockedError,
  type BlobSource,
  type CallOptions,
  type Descriptor,
  type Digest,
  type LocalStore,
  type RemoteRepository,
} from "@undocked/registry";
import type { LayerSink } from "../layer/make-layer.ts";
import { fromBoth, storeSink } from "./store-sink.ts";
import { counted, streamedUpload } from "./streamed-upload.ts";

/** Sends what is written to a store to a repository, before the image is pushed. */
export interface EarlyUpload extends AsyncDisposable {
  /** Takes layers for the store behind it. */
  readonly sink: LayerSink;
  /**
   * What has become of content that was written here, once that is known; `undefined`: nothing, and the push is to see to it, and
   * to tell why it does not go.
   */
  outcome(digest: Digest): Promise<"copied" | "exists" | undefined>;
  /** Whether content was written here: it has been made for this image. */
  isMade(digest: Digest): boolean;
  /** A source that has what was written here, even if it has lost it: the repository took it. */
  behind(source: BlobSource): BlobSource;
}

/** Smaller content is sent as fast when it is whole. */
const LEAST = 4 * 1024 * 1024;

export interface EarlyUploadOptions extends CallOptions {
  /**
   * `dear`: a layer that the repository takes while it is made is not written to the store, if it would cost no more to make it
   * again. Default: `all`.
   */
  readonly keep?: "all" | "dear";
  /** Told how many bytes have been handed over, of what. Of a layer that is being made nobody knows that. */
  readonly onProgress?: (bytes: number, target?: Descriptor) => void;
}

type Outcome = "copied" | "exists" | undefined;

/**
 * Large content goes to the repository while it is written, if that has nothing yet: of any other nobody can say whether asking
 * for the digest would have spared the sending. All else is asked for, and sent if need be, once it is whole, while what comes
 * next is being made.
 *
 * Disposing of it gives up what is under way.
 *
 * @param store - keeps what is sent; what it does not get is found by its digest and size alone
 */
export function earlyUpload(
  store: LocalStore,
  repository: RemoteRepository,
  options: EarlyUploadOptions = {},
): EarlyUpload {
  const { onProgress = () => {}, keep = "all" } = options;
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal]);
  const kept = storeSink(store);
  const underWay = new Map<Digest, Promise<Outcome>>();
  let untouched: Promise<boolean> | undefined;

  async function sendWhole(target: Descriptor): Promise<Outcome> {
    if (await repository.exists(target, { signal })) return "exists";
    await repository.push(
      target,
      replayable(
        () => counted(store.fetch(target, { signal }), (bytes) => onProgress(bytes, target)),
        target.digest,
      ),
      { signal, known: "absent" },
    );
    return "copied";
  }

  /** What becomes of content that was sent, or not, while it was made. */
  async function finish(
    target: Descriptor,
    sent: Promise<boolean> | undefined,
    isKept: boolean,
  ): Promise<Outcome> {
    if ((await sent) === true) return "copied";
    return isKept ? await sendWhole(target) : undefined;
  }

  return {
    sink: {
      async ingest(mediaType, content, call = {}) {
        const isUntouched = (): Promise<boolean> => (untouched ??= hasNothing(repository, signal));
        // Asked meanwhile, where the answer will hardly be in vain.
        if ((call.size ?? 0) >= 4 * LEAST) void isUntouched();
        const { head, all, close } = await begun(content);
        const isStreamed = head >= LEAST && (await isUntouched());
        const isKept = !isStreamed || keep === "all" || call.isCheap?.() !== true;
        const { reuse: takeBack = () => {} } = call;
        const reuse = isStreamed && isKept ? fromBoth(takeBack) : takeBack;
        const stream = isStreamed
          ? streamedUpload(repository, onProgress, { signal, onSent: reuse })
          : undefined;
        const sending = (chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> =>
          stream?.through(chunks) ?? chunks;
        try {
          const target = isKept
            ? await kept.ingest(mediaType, sending(all), { ...call, reuse })
            : await described(mediaType, all, sending);
          const sent = stream?.end(target);
          // Another platform's may be the same.
          const same = sent === undefined ? underWay.get(target.digest) : undefined;
          const outcome = same ?? finish(target, sent, isKept).catch(() => undefined);
          underWay.set(target.digest, outcome);
          return target;
        } catch (error) {
          await stream?.giveUp(error);
          await close();
          throw error;
        }
      },
    },
    outcome: async (digest) => underWay.get(digest),
    isMade: (digest) => underWay.has(digest),
    behind: (source) => ({
      ...source,
      async *fetch(target, call) {
        let isBegun = false;
        try {
          for await (const chunk of source.fetch(target, call)) {
            isBegun = true;
            yield chunk;
          }
        } catch (error) {
          if (isBegun || (await underWay.get(target.digest)) === undefined) throw error;
          call?.signal?.throwIfAborted();
          yield* repository.fetch(target, call);
        }
      },
    }),
    async [Symbol.asyncDispose]() {
      stop.abort(new Error("The build has ended."));
      await Promise.all(underWay.values());
    },
  };
}

interface Begun {
  /** Bytes that have been read: {@link LEAST} of content that has as many. */
  readonly head: number;
  readonly all: AsyncIterable<Uint8Array>;
  /** For who may not have read any of it. */
  readonly close: () => Promise<void>;
}

/** Content whose first part has been read, and is passed on with the rest. */
async function begun(content: AsyncIterable<Uint8Array>): Promise<Begun> {
  const rest = content[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let head = 0;
  while (head < LEAST) {
    const { done, value } = await rest.next();
    if (done === true) break;
    first.push(value);
    head += value.byteLength;
  }
  const close = async (): Promise<void> => {
    await rest.return?.();
  };
  const all = async function* (): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (let chunk = first.shift(); chunk !== undefined; chunk = first.shift()) yield chunk;
      yield* { [Symbol.asyncIterator]: () => rest };
    } finally {
      await close();
    }
  };
  return { head, all: all(), close };
}

/** Looks at each chunk before it is passed to what may use its memory again. */
async function described(
  mediaType: string,
  content: AsyncIterable<Uint8Array>,
  pass: (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<unknown>,
): Promise<Descriptor> {
  const seen = tally();
  for await (const _ of pass(seen.through(content)));
  return { mediaType, digest: seen.digest(), size: seen.size() };
}

/** Whether the registry says that it does not know the repository. */
async function hasNothing(repository: RemoteRepository, signal: AbortSignal): Promise<boolean> {
  try {
    for await (const _ of repository.tags({ signal })) return false;
    return false;
  } catch (error) {
    return error instanceof UndockedError && error.code === "NAME_UNKNOWN";
  }
}
