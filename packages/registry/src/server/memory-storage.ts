import type { Storage } from "./storage.ts";

/** Keeps everything in memory. */
export function memoryStorage(): Storage {
  const files = new Map<string, readonly Uint8Array[]>();
  return {
    async open(key) {
      const chunks = files.get(key);
      if (chunks === undefined) return undefined;
      const size = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
      return { size, read: (start = 0, end = size) => slices(chunks, start, end) };
    },
    async put(key, bytes) {
      files.set(key, [bytes]);
    },
    async link(from, to) {
      const chunks = files.get(from);
      if (chunks !== undefined) files.set(to, chunks);
      return chunks !== undefined;
    },
    async remove(key) {
      return files.delete(key);
    },
    async list(key) {
      const prefix = `${key}/`;
      const names = [...files.keys()]
        .filter((candidate) => candidate.startsWith(prefix))
        .map((candidate) => candidate.slice(prefix.length).split("/", 1)[0] ?? "");
      return [...new Set(names)].sort();
    },
    async draft() {
      let chunks: Uint8Array[] = [];
      return {
        async append(chunk) {
          // A copy: the chunk may be a view of a larger buffer of the socket's.
          chunks.push(Uint8Array.from(chunk));
        },
        read: () => slices(chunks, 0, Number.MAX_SAFE_INTEGER),
        async commit(key) {
          files.set(key, chunks);
        },
        async discard() {
          chunks = [];
        },
      };
    },
  };
}

async function* slices(
  chunks: readonly Uint8Array[],
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, void> {
  let at = 0;
  for (const chunk of chunks) {
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, chunk.byteLength);
    if (from < to) yield chunk.subarray(from, to);
    at += chunk.byteLength;
    if (at >= end) return;
  }
}
