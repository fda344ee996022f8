import { createCipheriv } from "node:crypto";
import { memoryStore } from "@undocked/registry";
import { describe, expect, test } from "vitest";
import { bytesContent } from "../../packages/core/src/context/memory-tree.ts";
import { portableDeflate } from "../../packages/core/src/layer/deflate.ts";
import type { LayerCompression } from "../../packages/core/src/layer/encoding.ts";
import type { Entry } from "../../packages/core/src/layer/entry.ts";
import { gzipBlocks } from "../../packages/core/src/layer/gzip.ts";
import { layerTar } from "../../packages/core/src/layer/layer-tar.ts";
import { makeLayer } from "../../packages/core/src/layer/make-layer.ts";

/*
 * Byte format 1 (docs/byte-format.md) is frozen. A digest here is added, never edited: people pin digests, and a changed one
 * would change all of theirs.
 */

const owned = { uid: 0, gid: 0, mtime: 1_700_000_000 };

function file(path: string, bytes: Uint8Array | string, more: object = {}): Entry {
  return { kind: "file", path, mode: 0o644, ...owned, content: bytesContent(Buffer.from(bytes)), ...more };
}

function directory(path: string, mode = 0o755): Entry {
  return { kind: "directory", path, mode, ...owned };
}

/** Words drawn by xorshift32. */
function text(length: number): Buffer {
  const words = ["const ", "return ", "value", " = ", "(", ");\n", "function ", "0x1f", "  "];
  const bytes = Buffer.alloc(length);
  let state = 0x2545f491;
  for (let at = 0; at < length;) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    at += bytes.write(words[(state >>> 3) % words.length] ?? "", at);
  }
  return bytes;
}

function noise(length: number): Buffer {
  return createCipheriv("aes-128-ctr", Buffer.alloc(16, 1), Buffer.alloc(16)).update(Buffer.alloc(length));
}

const MIB = 1024 * 1024;

const cases: readonly (readonly [string, readonly Entry[]])[] = [
  ["nothing", []],
  ["byte order and parents", [file("a/b", "x"), file("a.b", "y"), directory("a"), file("Z", ""), file("é", "z")]],
  [
    "kinds",
    [
      directory("tmp", 0o1777),
      file("bin/x", "#!", { mode: 0o6755 }),
      { kind: "hardlink", path: "bin/y", mode: 0o6755, ...owned, linkTarget: "bin/x" },
      { kind: "symlink", path: "lib", mode: 0o777, ...owned, linkTarget: "usr/lib" },
      { kind: "fifo", path: "pipe", mode: 0o600, ...owned },
      { kind: "character-device", path: "null", mode: 0o666, ...owned, deviceMajor: 1, deviceMinor: 3 },
      { kind: "whiteout", path: "etc/gone" },
      { kind: "whiteout", path: "var/.wh..opq" },
    ],
  ],
  [
    "pax",
    [
      file("long/".repeat(40) + "x", "x"),
      file("p".repeat(100), "100"),
      file("p".repeat(101), "101"),
      file("日本語", "x", { uid: 3_000_000, gid: 0o1000000, mtime: -1 }),
      { kind: "symlink", path: "l", mode: 0o777, ...owned, linkTarget: "ü" },
      file("capable", "x", { xattrs: { "user.b": Buffer.from("2"), "user.a": Buffer.from("1") } }),
    ],
  ],
  ["text over several blocks", [file("text", text(5 * MIB + 77)), file("u", "the last")]],
  ["stored blocks", [file("noise", noise(4 * MIB + 12_345))]],
  ["noise and text in one block", [file("a", noise(300_000)), file("b", text(300_000))]],
  ["a tar that ends with a block", [file("a", text(2 * MIB - 1536))]],
];

const compressions: readonly LayerCompression[] = [
  "none",
  "gzip",
  { type: "gzip", level: 1 },
  { type: "gzip", level: 9 },
];

describe("byte format 1", () => {
  test.each(cases)("%s", async (_, entries) => {
    const digests: Record<string, string> = {};
    for (const compression of compressions) {
      const { descriptor } = await makeLayer(memoryStore(), entries, { epoch: 0, compression });
      digests[typeof compression === "string" ? compression : `gzip ${compression.level}`] = descriptor.digest;
    }
    expect(digests).toMatchSnapshot();
  });

  test.each(cases)("%s: the same from pako", async (_, entries) => {
    const { descriptor } = await makeLayer(memoryStore(), entries, { epoch: 0 });
    const blocks = layerTar(entries, { epoch: 0 });
    const again = await memoryStore().ingest("", gzipBlocks(blocks, { deflate: portableDeflate }));
    expect(again.digest).toBe(descriptor.digest);
  });

  test("times that are kept", async () => {
    const { diffId } = await makeLayer(memoryStore(), [file("a", "x"), directory("b")]);
    expect(diffId).toMatchSnapshot();
  });
});
