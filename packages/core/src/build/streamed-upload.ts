import type { Descriptor, RemoteRepository, StreamOptions } from "@undocked/registry";
import { handover } from "./handover.ts";

/** Content that goes to a repository while it is made, if that takes it. */
export interface StreamedUpload {
  /** Passes chunks on as they came, and sends them. */
  through(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void>;
  /** Says what the content was. Whether the repository has it now. */
  end(target: Descriptor): Promise<boolean>;
  giveUp(error: unknown): Promise<void>;
}

export function streamedUpload(
  repository: RemoteRepository,
  onProgress: (bytes: number) => void,
  options: StreamOptions,
): StreamedUpload {
  let describe: (target: Descriptor) => void = () => {};
  const described = new Promise<Descriptor>((resolve) => (describe = resolve));
  const pipe = handover();
  const sent = repository
    .pushStream(counted(pipe, onProgress), () => described, options)
    .then(
      () => true,
      () => (pipe.close(), false),
    );
  return {
    async *through(chunks) {
      for await (const chunk of chunks) {
        await pipe.write(chunk);
        yield chunk;
      }
    },
    end(target) {
      describe(target);
      pipe.end();
      return sent;
    },
    async giveUp(error) {
      pipe.fail(error);
      await sent;
    },
  };
}

/** @param tell - how many bytes have passed */
export async function* counted(
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
