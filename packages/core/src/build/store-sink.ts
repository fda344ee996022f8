import type { LocalStore } from "@undocked/registry";
import type { LayerSink } from "../layer/make-layer.ts";

/** Writes layers to a store that is done with a chunk when it asks for the next, as an OCI layout is. */
export function storeSink(store: LocalStore): LayerSink {
  return {
    ingest: (mediaType, content, call = {}) => store.ingest(mediaType, lent(content, call.reuse), call),
  };
}

async function* lent(
  chunks: AsyncIterable<Uint8Array>,
  takeBack: (chunk: Uint8Array) => void = () => {},
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of chunks) {
    yield chunk;
    takeBack(chunk);
  }
}

/** For chunks that go to two readers: passes on what both have given back. */
export function fromBoth(takeBack: (chunk: Uint8Array) => void): (chunk: Uint8Array) => void {
  const fromOne = new WeakSet<Uint8Array>();
  return (chunk) => {
    if (fromOne.has(chunk)) takeBack(chunk);
    else fromOne.add(chunk);
  };
}
