import { createCipheriv } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ociLayout, readAll, type LocalStore } from "@undocked/registry";
import { expect, test } from "vitest";
import { bytesContent } from "../context/memory-tree.ts";
import type { Entry } from "../layer/entry.ts";
import { makeLayer } from "../layer/make-layer.ts";
import { fromBoth, storeSink } from "./store-sink.ts";

const MiB = 1024 * 1024;

const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16)).update(
  Buffer.alloc(24 * MiB),
);
const entries: readonly Entry[] = [
  {
    kind: "file",
    path: "noise",
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 0,
    content: bytesContent(Buffer.concat([noise, Buffer.alloc(8 * MiB, "text "), noise])),
  },
];

test.each(["gzip", "none"] as const)(
  "a layer that is written with %s takes the memory of a few blocks",
  async (compression) => {
    const directory = mkdtempSync(join(tmpdir(), "undocked-test-"));
    try {
      const layout = ociLayout(directory);
      const memory = new Set<ArrayBufferLike>();
      const watched: LocalStore = {
        ...layout,
        ingest: (mediaType, content, options) => layout.ingest(mediaType, noted(content, memory), options),
      };
      const { descriptor } = await makeLayer(storeSink(watched), entries, { compression });
      const alone = await makeLayer(layout, entries, { compression });
      expect(descriptor).toEqual(alone.descriptor);
      expect((await readAll(layout.fetch(descriptor))).byteLength).toBe(descriptor.size);
      // There are 28 blocks, 24 of them of noise.
      expect(memory.size).toBeLessThan(20);
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
);

async function* noted(
  chunks: AsyncIterable<Uint8Array>,
  memory: Set<ArrayBufferLike>,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of chunks) {
    memory.add(chunk.buffer);
    yield chunk;
  }
}

test("what two have is given back by the later one", () => {
  const back: Uint8Array[] = [];
  const give = fromBoth((chunk) => back.push(chunk));
  const [one, two] = [new Uint8Array(1), new Uint8Array(1)];
  give(one);
  give(two);
  expect(back).toEqual([]);
  give(two);
  give(one);
  expect([back.length, back[0] === two, back[1] === one]).toEqual([2, true, true]);
});
