import type { Descriptor } from "../oci/descriptor.ts";
import type { BlobSource, CallOptions } from "./store.ts";
import { unknownContent } from "./unknown-content.ts";

/** Several sources as one: content comes from the first that has it. */
export function layeredSource(...sources: readonly BlobSource[]): BlobSource {
  const find = async (target: Descriptor, options?: CallOptions): Promise<BlobSource | undefined> => {
    for (const source of sources) if (await source.exists(target, options)) return source;
    return undefined;
  };
  return {
    async *fetch(target, options) {
      const source = await find(target, options);
      if (source === undefined) throw unknownContent(target);
      yield* source.fetch(target, options);
    },
    async exists(target, options) {
      return (await find(target, options)) !== undefined;
    },
  };
}
