import { setImmediate } from "node:timers/promises";
import { writeTar, type TarEntry, type TarHeader } from "@undocked/registry/tar";
import { baseName, compareBytes, parentPath } from "../context/path.ts";
import type { FileContent } from "../context/source-tree.ts";
import type { Entry } from "./entry.ts";

export interface LayerTarOptions {
  /** Seconds since 1970 that no entry's time is later than. Default: times are kept. */
  readonly epoch?: number;
}

/** Files up to this size are read at once: a stream costs more than the reading. */
const SMALL = 1024 * 1024;
/** After so much work in one go other work of the process gets its turn. */
const SLICE_BYTES = 8 * SMALL;
const SLICE_ENTRIES = 500;

/** The tar of a layer: sorted by the bytes of the paths, so that parents stand before what is in them. */
export function layerTar(
  entries: Iterable<Entry>,
  options: LayerTarOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  return writeTar(
    tarEntries(
      [...entries].sort((a, b) => compareBytes(a.path, b.path)),
      options,
    ),
  );
}

async function* tarEntries(
  entries: readonly Entry[],
  options: LayerTarOptions,
): AsyncGenerator<TarEntry, void, void> {
  for (const entry of entries) if (entry.kind === "file") entry.content.expect?.();
  let bytes = 0;
  for (const [at, entry] of entries.entries()) {
    const header = headerOf(entry, options.epoch);
    yield entry.kind === "file" ? { header, body: bodyOf(entry.content) } : { header };
    bytes += header.size;
    if (bytes < SLICE_BYTES && at % SLICE_ENTRIES !== SLICE_ENTRIES - 1) continue;
    bytes = 0;
    await setImmediate();
  }
}

function bodyOf(content: FileContent): Uint8Array | AsyncIterable<Uint8Array> {
  return content.size <= SMALL && content.readAt !== undefined
    ? content.readAt(0, content.size)
    : content.stream();
}

function headerOf(entry: Entry, epoch: number | undefined): TarHeader {
  if (entry.kind === "whiteout") {
    return { path: whiteoutPath(entry.path), kind: "file", mode: 0, uid: 0, gid: 0, mtime: 0, size: 0 };
  }
  const { path, kind, mode, uid, gid, xattrs } = entry;
  return {
    path,
    kind,
    mode,
    uid,
    gid,
    mtime: epoch === undefined ? entry.mtime : Math.min(entry.mtime, epoch),
    size: kind === "file" ? entry.content.size : 0,
    ...("linkTarget" in entry ? { linkTarget: entry.linkTarget } : {}),
    ...("deviceMajor" in entry
      ? { deviceMajor: entry.deviceMajor, deviceMinor: entry.deviceMinor ?? 0 }
      : {}),
    ...(xattrs === undefined ? {} : { xattrs }),
  };
}

/** image-spec, layer.md#whiteouts */
function whiteoutPath(path: string): string {
  const name = `.wh.${baseName(path)}`;
  const parent = parentPath(`/${path}`).slice(1);
  return parent === "" ? name : `${parent}/${name}`;
}
