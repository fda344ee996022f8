import { open, rm, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { scratchDirectory, writeScratch } from "@undocked/registry/files";
import { readTar, type TarLimits } from "@undocked/registry/tar";
import { cleanPath } from "../context/path.ts";
import type { FileContent } from "../context/source-tree.ts";
import { earlierFiles } from "./earlier-files.ts";
import { inflated } from "./inflate.ts";
import { LayerError } from "./layer-error.ts";

export interface LayerFilesOptions {
  readonly limits?: TarLimits;
  /** Where what is taken out lies meanwhile. Default: the system's directory for temporary files. */
  readonly scratch?: string;
  /** The digest of what is read, where it is known: with it the files can be told apart unread. */
  readonly identity?: string;
}

/**
 * The files of a compressed layer or archive, for those who want some of them. Disposing gives back what was taken out; who reads
 * later has it taken out again, and given back soon after the last reader has gone.
 */
export interface LayerFiles extends AsyncDisposable {
  /**
   * Costs nothing until the content is read. Then all files that are expected by that time are taken out in one pass.
   *
   * @param path - as {@link cleanPath} has it
   * @param earlier - files of that path that come before it
   */
  open(path: string, size: number, earlier?: number): FileContent;
}

/** @param read - all of the blob, anew for each pass; verified by whoever gives it */
export function layerFiles(
  read: () => AsyncIterable<Uint8Array>,
  { limits, scratch, identity }: LayerFilesOptions = {},
): LayerFiles {
  const expected = new Map<MemberKey, string>();
  const places = new Map<MemberKey, Spooled>();
  let spool: Promise<Spool> | undefined;
  let pass: Promise<void> = Promise.resolve();
  let readers = 0;
  let isDisposed = false;
  let idle: NodeJS.Timeout | undefined;

  async function giveBack(): Promise<void> {
    const opened = spool;
    spool = undefined;
    places.clear();
    await (await opened?.catch(() => undefined))?.remove();
  }

  function leave(): void {
    readers -= 1;
    if (!isDisposed || readers > 0) return;
    // The files of a layer are read one after the other: not each should have them all taken out again.
    clearTimeout(idle);
    idle = setTimeout(() => {
      if (readers === 0) void giveBack().catch(() => {});
    }, IDLE_MS);
  }

  async function takeOut(): Promise<void> {
    const wanted = new Map([...expected].filter(([key]) => !places.has(key)));
    if (wanted.size === 0) return;
    spool ??= openSpool(scratch);
    for (const [key, place] of await spoolMembers(read(), wanted, await spool, limits))
      places.set(key, place);
  }

  return {
    open(path, size, earlier = 0) {
      const key = memberKey(path, earlier);
      const expect = (): unknown => expected.set(key, path);
      return {
        size,
        expect,
        ...(identity === undefined ? {} : { identity: `${identity}:${key}` }),
        async *stream() {
          readers += 1;
          try {
            expect();
            // One pass after the other, so that the second finds what the first has taken out.
            if (!places.has(key)) await (pass = pass.catch(() => {}).then(takeOut));
            const place = places.get(key);
            if (place?.size !== size || spool === undefined) {
              throw new LayerError("LAYER_INVALID", `${path} is not in the layer that should have it.`);
            }
            yield* (await spool).read(place.at, size);
          } finally {
            leave();
          }
        },
      };
    },
    async [Symbol.asyncDispose]() {
      isDisposed = true;
      await pass.catch(() => {});
      await giveBack();
    },
  };
}

/** Tells one file of a layer from another, also from those of its path. */
type MemberKey = string;

function memberKey(path: string, earlier: number): MemberKey {
  return earlier === 0 ? path : `${path}\0${earlier}`;
}

/** Between two readers of one layer there is less. */
const IDLE_MS = 1000;

/** Where a file begins in the spool, and its bytes. */
interface Spooled {
  readonly at: number;
  readonly size: number;
}

/** One file that members are written into one after the other. */
interface Spool {
  size: number;
  readonly file: FileHandle;
  read(at: number, size: number): AsyncIterable<Uint8Array>;
  remove(): Promise<void>;
}

const PIECE = 1024 * 1024;

async function openSpool(scratch: string | undefined): Promise<Spool> {
  const directory = await scratchDirectory(scratch);
  const file = await open(join(directory, "files"), "wx+", 0o600);
  return {
    size: 0,
    file,
    async *read(at, size) {
      for (let done = 0; done < size;) {
        const piece = Buffer.allocUnsafe(Math.min(PIECE, size - done));
        const { bytesRead } = await file.read(piece, 0, piece.byteLength, at + done);
        if (bytesRead === 0) throw new LayerError("LAYER_INVALID", `${directory} changed while it was read.`);
        yield piece.subarray(0, bytesRead);
        done += bytesRead;
      }
    },
    async remove() {
      await file.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/**
 * Where in the spool each wanted member now begins.
 *
 * @param wanted - with their paths
 */
async function spoolMembers(
  blob: AsyncIterable<Uint8Array>,
  wanted: ReadonlyMap<MemberKey, string>,
  spool: Spool,
  limits: TarLimits | undefined,
): Promise<ReadonlyMap<MemberKey, Spooled>> {
  const found = new Map<MemberKey, Spooled>();
  const paths = new Set(wanted.values());
  const earlierOf = earlierFiles();
  const source = blob[Symbol.asyncIterator]();
  // Not closed by the readers, as the blob's digest is checked at its end; what that says counts, whoever was told first.
  const failures: unknown[] = [];
  async function next(): Promise<IteratorResult<Uint8Array, unknown>> {
    try {
      return await source.next();
    } catch (error) {
      failures.push(error);
      throw error;
    }
  }
  try {
    const open: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => ({ next }) };
    for await (const { header, body } of readTar(inflated(open), limits)) {
      const path = cleanPath(header.path);
      if (header.kind !== "file" || !paths.has(path)) continue;
      const key = memberKey(path, earlierOf(path));
      if (!wanted.has(key)) continue;
      found.set(key, { at: spool.size, size: header.size });
      for await (const chunk of body) {
        await writeScratch(spool.file, chunk, spool.size);
        spool.size += chunk.byteLength;
      }
    }
    // What stands behind the tar's end in what was inflated is not looked at: BuildKit does not, either.
    while ((await next()).done !== true);
    if (failures.length > 0) throw failures[0];
  } finally {
    await source.return?.();
  }
  return found;
}
