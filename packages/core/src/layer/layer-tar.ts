import { setImmediate } from "node:timers/promises";
import { FormatError } from "@undocked/registry";
import { encodeTarHeader, tarEndSize, tarPadding, type TarHeader } from "@undocked/registry/tar";
import { baseName, compareBytes, parentPath } from "../context/path.ts";
import type { FileContent, OpenFile } from "../context/source-tree.ts";
import { blockFiller, blockPool, type BlockFiller, type BlockPool } from "./blocks.ts";
import type { Entry } from "./entry.ts";
import { BLOCK_SIZE } from "./gzip.ts";

export interface LayerTarOptions {
  /** Seconds since 1970 that no entry's time is later than. Default: times are kept. */
  readonly epoch?: number;
}

/** An entry as the tar will have it. */
export interface LayerMember {
  readonly header: TarHeader;
  readonly content?: FileContent;
}

/** After so many entries other work of the process gets its turn, as it does after each block. */
const SLICE_ENTRIES = 500;

/**
 * The tar of a layer: sorted by the bytes of the paths, so that parents stand before what is in them. In blocks of
 * {@link BLOCK_SIZE}, the last one shorter.
 *
 * Files are read synchronously, straight into the blocks: a promise or a buffer for each costs several times the reading.
 *
 * @param pool - gives blocks of that size; by default each is the receiver's to keep
 * @throws {FormatError} `TAR_INVALID` when a file is not as long as it was said to be
 */
export async function* layerTar(
  entries: Iterable<Entry>,
  options: LayerTarOptions = {},
  pool: BlockPool = blockPool(BLOCK_SIZE),
): AsyncGenerator<Uint8Array, void, void> {
  const blocks = blockFiller(pool);
  const listed = [...entries];
  for (const entry of listed) if (entry.kind === "file") entry.content.expect?.();
  const headerBlock = Buffer.alloc(512);
  let at = 0;
  for (const { header, content } of layerMembers(listed, options)) {
    blocks.put(encodeTarHeader(header, headerBlock));
    if (content !== undefined) {
      const rest = written(blocks, header, content);
      // To delegate to nothing would cost a promise for each file.
      if (rest !== undefined) yield* rest;
      blocks.zeros(tarPadding(header.size));
    }
    for (let block = blocks.full(); block !== undefined; block = blocks.full()) {
      yield block;
      await setImmediate();
    }
    at += 1;
    if (at % SLICE_ENTRIES === 0) await setImmediate();
  }
  blocks.zeros(tarEndSize);
  for (let block = blocks.full(); block !== undefined; block = blocks.full()) yield block;
  const rest = blocks.rest();
  if (rest !== undefined) yield rest;
}

/** In the order of the tar; one at a time, as there may be many. */
export function* layerMembers(
  entries: Iterable<Entry>,
  { epoch }: LayerTarOptions = {},
): Generator<LayerMember, void, void> {
  for (const entry of [...entries].sort((a, b) => compareBytes(a.path, b.path))) {
    const header = headerOf(entry, epoch);
    yield entry.kind === "file" ? { header, content: entry.content } : { header };
  }
}

/** Fits without a wait in what is left of the block, as most files do; else the blocks that it fills. */
function written(
  blocks: BlockFiller,
  header: TarHeader,
  content: FileContent,
): AsyncIterable<Uint8Array> | undefined {
  const file = content.openFile?.();
  if (file === undefined) return poured(blocks, header, content.stream());
  const space = blocks.room(header.size);
  if (space.byteLength < header.size) return readPiecewise(blocks, file, header.size);
  try {
    file.read(space, 0);
    blocks.fill(header.size);
  } finally {
    file.close();
  }
  return undefined;
}

async function* readPiecewise(
  blocks: BlockFiller,
  file: OpenFile,
  size: number,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for (let at = 0; at < size;) {
      const space = blocks.room(size - at);
      file.read(space, at);
      blocks.fill(space.byteLength);
      at += space.byteLength;
      const block = blocks.full();
      if (block === undefined) continue;
      yield block;
      await setImmediate();
    }
  } finally {
    file.close();
  }
}

async function* poured(
  blocks: BlockFiller,
  header: TarHeader,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  let length = 0;
  for await (const chunk of body) {
    length += chunk.byteLength;
    if (length > header.size) throw wrongLength(header, `at least ${length}`);
    blocks.put(chunk);
    for (let block = blocks.full(); block !== undefined; block = blocks.full()) yield block;
  }
  if (length !== header.size) throw wrongLength(header, String(length));
}

function wrongLength(header: TarHeader, length: string): FormatError {
  return new FormatError(
    "TAR_INVALID",
    `${header.path} has ${length} bytes; its header says ${header.size}.`,
    { hint: "It changed while it was read; build again." },
  );
}

function headerOf(entry: Entry, epoch: number | undefined): TarHeader {
  if (entry.kind === "whiteout") {
    return { path: whiteoutPath(entry.path), kind: "file", mode: 0, uid: 0, gid: 0, mtime: 0, size: 0 };
  }
  const { path, kind, mode, uid, gid, xattrs } = entry;
  if (entry.kind === "file" && xattrs === undefined) {
    const mtime = epoch === undefined ? entry.mtime : Math.min(entry.mtime, epoch);
    return { path, kind, mode, uid, gid, mtime, size: entry.content.size };
  }
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
