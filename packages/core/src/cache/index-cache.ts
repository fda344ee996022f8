import { createHash } from "node:crypto";
import { utimes } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { digestHex, digestOf, isDigest, type Digest } from "@undocked/registry";
import { readPlainFile, writeWholeFile } from "@undocked/registry/files";
import { z } from "zod";
import type { IndexEntry, LayerIndex } from "../rootfs/layer-index.ts";

/** Keeps what was found out about layers, by the digest of the layer as it lies in the registry. */
export interface IndexCache {
  /** `undefined`: it is not there, is damaged, or is of another collector or version. */
  read(layer: Digest, collector?: string): Promise<LayerIndex | undefined>;
  write(layer: Digest, index: LayerIndex): Promise<void>;
}

/** More than the index of a million files takes. */
const LARGEST = 1024 ** 3;

/**
 * A cache in a directory, which may be shared by builds at the same time and may vanish: a file is there whole or not at
 * all, and one that is damaged counts as missing.
 */
export function indexCache(directory: string): IndexCache {
  const folder = join(directory, "v2");
  const fileOf = (layer: Digest, collector: string): string => {
    const suffix =
      collector === "" ? "" : `-${createHash("sha256").update(collector).digest("hex").slice(0, 16)}`;
    return join(folder, `${digestHex(layer)}${suffix}`);
  };
  return {
    async read(layer, collector = "") {
      const path = fileOf(layer, collector);
      const bytes = await readPlainFile(path, LARGEST).catch(() => undefined);
      const index = bytes === undefined ? undefined : await decoded(layer, bytes).catch(() => undefined);
      if (index?.collector !== collector) return undefined;
      // What is of use is what pruning keeps the longest.
      const now = new Date();
      await utimes(path, now, now).catch(() => {});
      return index;
    },
    async write(layer, index) {
      const path = fileOf(layer, index.collector);
      // Checked when it is read: what a power cut leaves of it counts as missing.
      await writeWholeFile(path, await encoded(layer, index), { durability: "scratch" });
    },
  };
}

/** The index of a layer, from the cache or else made and kept there. */
export async function cachedIndex(
  cache: IndexCache | undefined,
  layer: Digest,
  collector: string,
  make: () => Promise<LayerIndex>,
): Promise<LayerIndex> {
  const known = await cache?.read(layer, collector);
  if (known !== undefined) return known;
  const index = await make();
  // A cache that cannot be written costs time, not the build.
  await cache?.write(layer, index).catch(() => {});
  return index;
}

/** The layer, the digest of the JSON, a newline, and the JSON, gzipped. */
async function encoded(layer: Digest, index: LayerIndex): Promise<Uint8Array> {
  const json = Buffer.from(JSON.stringify(index));
  return promisify(gzip)(Buffer.concat([Buffer.from(`${labelOf(layer, json)}\n`), json]), { level: 1 });
}

async function decoded(layer: Digest, bytes: Uint8Array): Promise<LayerIndex | undefined> {
  const text = await promisify(gunzip)(bytes, { maxOutputLength: LARGEST });
  const end = text.indexOf("\n");
  const json = text.subarray(end + 1);
  if (text.toString("latin1", 0, end) !== labelOf(layer, json)) return undefined;
  return layerIndexSchema.parse(JSON.parse(json.toString("utf8")));
}

/** Says whose index it is, so that a file under another's name counts as damaged. */
function labelOf(layer: Digest, json: Uint8Array): string {
  return `${layer} ${digestOf(json)}`;
}

/**
 * Whether it is an index of this version. Its entries are not looked at one by one: its digest says that they are as they were
 * written, and of a large base they are many.
 */
const layerIndexSchema: z.ZodType<LayerIndex> = z.object({
  version: z.literal(2),
  collector: z.string(),
  diffId: z.custom<Digest>(isDigest, "not a digest"),
  entries: z.custom<readonly IndexEntry[]>(Array.isArray),
  files: z.record(z.string(), z.string()),
});
