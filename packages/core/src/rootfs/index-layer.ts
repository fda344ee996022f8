import { FormatError, tally } from "@undocked/registry";
import { readTar, type TarHeader, type TarLimits, type TarMember } from "@undocked/registry/tar";
import { baseName, cleanPath, joinPath, LONGEST_PATH, parentPath } from "../context/path.ts";
import { earlierFiles } from "../layer/earlier-files.ts";
import { inflated } from "../layer/inflate.ts";
import { LayerError } from "../layer/layer-error.ts";
import type { IndexEntry, LayerIndex } from "./layer-index.ts";

/** Looks into a layer's files while they pass. */
export interface FactCollector {
  /** Changes whenever what it finds for a file may change: part of what an index is cached by. */
  readonly id: string;
  /**
   * What to remember of a file, as JSON; `undefined`: nothing, which of most files can be said at once. What it leaves
   * unread of the body is skipped.
   *
   * @param path - clean and absolute
   */
  collect(path: string, file: TarMember): Promise<unknown> | undefined;
}

export interface IndexLayerOptions {
  readonly limits?: TarLimits;
  readonly collector?: FactCollector;
  /** What an error calls the layer: `Layer 2 of alpine`. Default: it tells of the tar alone. */
  readonly name?: string;
  /** Told of how many entries there are, after each; what it throws ends the reading. */
  readonly onEntry?: (entries: number) => void;
}

/** Files whose content is kept, up to {@link MOST_KEPT} bytes each and {@link MOST_KEPT_FILES} in all. */
const KEPT =
  /^\/(?:etc\/(?:passwd|group|os-release|ld\.so\.conf|ld\.so\.cache|ld\.so\.preload|ld\.so\.conf\.d\/[^/]+\.conf|ld-musl-[^/]+\.path)|usr\/lib\/os-release)$/;
const MOST_KEPT = 512 * 1024;
const MOST_KEPT_FILES = 128;

/**
 * Reads a layer once, as it comes from a store, and keeps what its headers say.
 *
 * @throws {FormatError} `TAR_INVALID`
 * @throws {LayerError} for what it is compressed with
 */
export async function indexLayer(
  blob: AsyncIterable<Uint8Array>,
  { limits, collector, name, onEntry }: IndexLayerOptions = {},
): Promise<LayerIndex> {
  const uncompressed = tally();
  const tar = uncompressed.through(inflated(blob));
  const entries: IndexEntry[] = [];
  const files = new Map<string, string>();
  const earlierOf = earlierFiles();
  try {
    // Not closed by the reader: what follows the tar's end counts for both digests.
    const open: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => ({ next: () => tar.next() }) };
    for await (const member of readTar(open, limits)) {
      const entry = entryOf(member.header, earlierOf);
      if (entry === undefined) continue;
      const found = entry.kind === "file" ? factsOf(entry.path, member, collector, files) : undefined;
      const facts = found === undefined ? undefined : await found;
      entries.push(facts === undefined ? entry : { ...entry, facts });
      onEntry?.(entries.length);
    }
    while ((await tar.next()).done !== true);
  } catch (error) {
    throw name === undefined ? error : named(error, name);
  } finally {
    await tar.return();
  }
  return {
    version: 2,
    collector: collector?.id ?? "",
    diffId: uncompressed.digest(),
    entries,
    files: Object.fromEntries(files),
  };
}

function named(error: unknown, name: string): unknown {
  if (!(error instanceof FormatError || error instanceof LayerError)) return error;
  const message = `${name} cannot be read: ${error.message}`;
  const rest = { cause: error, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  return error instanceof FormatError
    ? new FormatError(error.code, message, rest)
    : new LayerError(error.code, message, rest);
}

/** `undefined` at once, or a promise of it: there are none. */
function factsOf(
  path: string,
  file: TarMember,
  collector: FactCollector | undefined,
  files: Map<string, string>,
): Promise<unknown> | undefined {
  return KEPT.test(path) ? keep(path, file, files) : collector?.collect(path, file);
}

async function keep(path: string, { header, body }: TarMember, files: Map<string, string>): Promise<void> {
  files.delete(path);
  if (header.size > MOST_KEPT || files.size === MOST_KEPT_FILES) return;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  files.set(path, Buffer.concat(chunks).toString("base64"));
}

/**
 * `undefined` for what stands in a layer for tools alone.
 *
 * @param earlierOf - asked once for each file
 */
function entryOf(header: TarHeader, earlierOf: (path: string) => number): IndexEntry | undefined {
  const length = longestOf(header);
  if (length > LONGEST_PATH)
    throw new LayerError("LAYER_INVALID", `The layer has a path of ${length} characters.`);
  const path = cleanPath(header.path);
  const name = baseName(path);
  // image-spec, layer.md#whiteouts; what else begins with .wh..wh. is aufs' own.
  if (name === ".wh..wh..opq") return { path: parentPath(path), kind: "opaque" };
  if (name.startsWith(".wh..wh.") || name === ".wh.") return undefined;
  // They would take away the directory that they are in, or its parent; containerd refuses such a layer.
  if (name === ".wh.." || name === ".wh...")
    throw new LayerError("LAYER_INVALID", `The layer has a whiteout that names no file: ${path}.`);
  if (name.startsWith(".wh.")) return { path: joinPath(parentPath(path), name.slice(4)), kind: "whiteout" };
  const { kind, mode, uid, gid, mtime, size, linkTarget, deviceMajor, deviceMinor, xattrs } = header;
  const earlier = kind === "file" ? earlierOf(path) : 0;
  return {
    path,
    kind,
    ...(mode === 0 ? {} : { mode }),
    ...(uid === 0 ? {} : { uid }),
    ...(gid === 0 ? {} : { gid }),
    ...(mtime === 0 ? {} : { mtime }),
    ...(size === 0 ? {} : { size }),
    ...(linkTarget === undefined
      ? {}
      : { linkTarget: kind === "hardlink" ? cleanPath(linkTarget) : linkTarget }),
    ...(deviceMajor === undefined ? {} : { deviceMajor }),
    ...(deviceMinor === undefined ? {} : { deviceMinor }),
    ...(xattrs === undefined ? {} : { xattrs: encoded(xattrs) }),
    ...(earlier === 0 ? {} : { earlier }),
  };
}

/** Characters of the member's longest path. */
export function longestOf({ path, linkTarget = "" }: TarHeader): number {
  return Math.max(path.length, linkTarget.length);
}

function encoded(xattrs: Readonly<Record<string, Uint8Array>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(xattrs).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
  );
}
