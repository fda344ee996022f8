import {
  replayable,
  UndockedError,
  type CallOptions,
  type Descriptor,
  type Digest,
  type LocalStore,
  type RemoteRepository,
} from "@undocked/registry";
import { handover, type Handover } from "./handover.ts";

/** Sends what is written to a store to a repository, before the image is pushed. */
export interface EarlyUpload extends AsyncDisposable {
  /** Takes content for the store behind it. */
  readonly store: LocalStore;
  /**
   * What has become of content that was written here, once that is known; `undefined`: nothing, and the push is to see to it, and
   * to tell why it does not go.
   */
  outcome(digest: Digest): Promise<"copied" | "exists" | undefined>;
}

/** Smaller content is sent as fast when it is whole. */
const LEAST = 4 * 1024 * 1024;

export interface EarlyUploadOptions extends CallOptions {
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
 */
export function earlyUpload(
  store: LocalStore,
  repository: RemoteRepository,
  options: EarlyUploadOptions = {},
): EarlyUpload {
  const { onProgress = () => {} } = options;
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal]);
  const underWay = new Map<Digest, Promise<Outcome>>();
  let untouched: Promise<boolean> | undefined;

  async function sendWhole(target: Descriptor): Promise<Outcome> {
    if (await repository.exists(target, { signal })) return "exists";
    await repository.push(
      target,
      replayable(() => counted(store.fetch(target, { signal }), (bytes) => onProgress(bytes, target))),
      { signal },
    );
    return "copied";
  }

  return {
    store: {
      ...store,
      async ingest(mediaType, content, call) {
        const stream = streamedUpload(repository, signal, onProgress);
        const isUntouched = (): Promise<boolean> => (untouched ??= hasNothing(repository, signal));
        try {
          const target = await store.ingest(mediaType, stream.through(content, isUntouched), call);
          const sent = stream.end(target);
          underWay.set(
            target.digest,
            (async () => ((await sent) === true ? "copied" : await sendWhole(target)))().catch(
              () => undefined,
            ),
          );
          return target;
        } catch (error) {
          await stream.giveUp(error);
          throw error;
        }
      },
    },
    outcome: async (digest) => underWay.get(digest),
    async [Symbol.asyncDispose]() {
      stop.abort(new Error("The build has ended."));
      await Promise.all(underWay.values());
    },
  };
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  tell: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, void> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    tell(bytes);
    yield chunk;
  }
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

interface StreamedUpload {
  /** Passes chunks on as they came, and sends them once there are many, if `begins` says so. */
  through(
    chunks: AsyncIterable<Uint8Array>,
    begins: () => Promise<boolean>,
  ): AsyncGenerator<Uint8Array, void, void>;
  /** Says what the content was. Whether the repository has it now; `undefined`: it was not sent. */
  end(target: Descriptor): Promise<boolean> | undefined;
  giveUp(error: unknown): Promise<void>;
}

function streamedUpload(
  repository: RemoteRepository,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): StreamedUpload {
  let describe: (target: Descriptor) => void = () => {};
  const described = new Promise<Descriptor>((resolve) => (describe = resolve));
  let stream: { readonly pipe: Handover; readonly sent: Promise<boolean> } | undefined;

  function begun(): { readonly pipe: Handover; readonly sent: Promise<boolean> } {
    const pipe = handover();
    const sent = repository
      .pushStream(counted(pipe, onProgress), () => described, { signal })
      .then(
        () => true,
        () => (pipe.close(), false),
      );
    return { pipe, sent };
  }

  return {
    async *through(chunks, begins) {
      const first: Uint8Array[] = [];
      let size = 0;
      let isDecided = false;
      for await (const chunk of chunks) {
        yield chunk;
        size += chunk.byteLength;
        if (!isDecided) first.push(chunk);
        else await stream?.pipe.write(chunk);
        if (isDecided || size < LEAST) continue;
        isDecided = true;
        if (await begins()) stream = begun();
        for (const held of first.splice(0)) await stream?.pipe.write(held);
      }
    },
    end(target) {
      describe(target);
      stream?.pipe.end();
      return stream?.sent;
    },
    async giveUp(error) {
      stream?.pipe.fail(error);
      await stream?.sent;
    },
  };
}
