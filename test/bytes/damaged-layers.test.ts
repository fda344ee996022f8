import { gzipSync } from "node:zlib";
import { readAll, UndockedError } from "@undocked/registry";
import { writeTar, type TarEntry, type TarHeader } from "@undocked/registry/tar";
import { expect, test } from "vitest";
import { bytesContent } from "../../packages/core/src/context/memory-tree.ts";
import { walkTree } from "../../packages/core/src/context/source-tree.ts";
import { indexLayer } from "../../packages/core/src/rootfs/index-layer.ts";
import { emptyRootFs } from "../../packages/core/src/rootfs/rootfs.ts";

/* Attack: layers that somebody has damaged, 10,000 of them, from a fixed seed. */

function entry(path: string, fields: Partial<TarHeader> = {}, body = ""): TarEntry {
  const size = Buffer.byteLength(body);
  return {
    header: { path, kind: "file", mode: 0o644, uid: 0, gid: 0, mtime: 0, size, ...fields },
    ...(size === 0 ? {} : { body: Buffer.from(body) }),
  };
}

const good = readAll(
  writeTar([
    entry("usr/bin", { kind: "directory", mode: 0o755 }),
    entry("bin", { kind: "symlink", linkTarget: "usr/bin", mode: 0o777 }),
    entry("usr/bin/sh", { mode: 0o755, uid: 300_000 }, "#!".repeat(400)),
    entry("usr/bin/bash", { kind: "hardlink", linkTarget: "usr/bin/sh" }),
    entry("etc/passwd", {}, "root:x:0:0::/:\n"),
    entry("etc/ü", { xattrs: { "user.a": Buffer.from("b") } }),
    entry("opt/.wh.gone"),
    entry("opt/.wh..wh..opq"),
    entry("dev/null", { kind: "character-device", deviceMajor: 1, deviceMinor: 3 }),
  ]),
);

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Numerical Recipes' generator: the same on every machine. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test("a damaged layer is a tree or an UndockedError", async () => {
  const random = randomFrom(20_261_121);
  const tar = Buffer.from(await good);
  let trees = 0;
  for (let round = 0; round < 10_000; round++) {
    const bytes = Buffer.from(tar);
    for (let change = random(5); change >= 0; change--) {
      const at = random(bytes.length);
      bytes[at] = random(256);
      // Two thirds get a checksum that fits, to come past the first check.
      if (round % 3 !== 0) fitChecksum(bytes.subarray(at - (at % 512), at - (at % 512) + 512));
    }
    const cut = bytes.subarray(0, random(4) === 0 ? random(bytes.length) : bytes.length);
    try {
      const index = await indexLayer(once(round % 10 === 0 ? gzipSync(cut, { level: 1 }) : cut));
      const root = emptyRootFs();
      root.applyIndex(index, { open: () => bytesContent(new Uint8Array(0)) });
      for (const { path } of walkTree(root, "/")) root.resolve(path);
      trees++;
    } catch (error) {
      if (!(error instanceof UndockedError)) throw error;
    }
  }
  expect(trees).toBeGreaterThan(1000);
  expect(trees).toBeLessThan(9000);
});

function fitChecksum(header: Buffer): void {
  header.fill(" ", 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
}
