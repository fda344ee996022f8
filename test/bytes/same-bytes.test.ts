import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryStore } from "@undocked/registry";
import { afterEach, beforeEach, expect, test } from "vitest";
import { directoryTree } from "../../packages/core/src/context/directory-tree.ts";
import type { SourceTree } from "../../packages/core/src/context/source-tree.ts";
import { makeLayer, type Layer } from "../../packages/core/src/layer/make-layer.ts";
import { copy } from "../../packages/core/src/rootfs/copy.ts";
import { emptyRootFs } from "../../packages/core/src/rootfs/rootfs.ts";

/* S12: the same input gives the same bytes, whatever else is different. */

let directory: string;
const umask = process.umask();
const zone = process.env["TZ"];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "undocked-test-"));
  make(join(directory, "one"), ["a", "b", "c/d", "c/e", "ü", "Z"]);
});
afterEach(() => {
  process.umask(umask);
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
  rmSync(directory, { recursive: true, force: true });
});

function make(root: string, names: readonly string[]): void {
  mkdirSync(join(root, "c"), { recursive: true, mode: 0o755 });
  for (const name of names)
    writeFileSync(join(root, name), `content of ${name}`.repeat(1000), { mode: 0o644 });
  symlinkSync("a", join(root, "link"));
}

function layerOf(tree: SourceTree): Promise<Layer> {
  const source = { kind: "path", tree, path: "." } as const;
  const entries = copy(emptyRootFs(), { sources: [source], destination: "/app", match: () => false, now: 0 });
  return makeLayer(memoryStore(), entries, { epoch: 0 });
}

test("in another directory, made in another order, with other times", async () => {
  make(join(directory, "two"), ["Z", "ü", "c/e", "c/d", "b", "a"]);
  for (const name of readdirSync(join(directory, "two"))) {
    if (name !== "link") utimesSync(join(directory, "two", name), 1_700_000_000, 1_700_000_000);
  }
  expect(await layerOf(directoryTree(join(directory, "two")))).toEqual(
    await layerOf(directoryTree(join(directory, "one"))),
  );
});

test("with another umask and in another time zone", async () => {
  const first = await layerOf(directoryTree(join(directory, "one")));
  process.umask(0o077);
  process.env["TZ"] = "Pacific/Kiritimati";
  expect(await layerOf(directoryTree(join(directory, "one")))).toEqual(first);
});

test("on two builds at once", async () => {
  const layers = await Promise.all(
    Array.from({ length: 5 }, () => layerOf(directoryTree(join(directory, "one")))),
  );
  for (const layer of layers) expect(layer).toEqual(layers[0]);
});
