import { open, rm, type FileHandle } from "node:fs/promises";
import { join, posix } from "node:path";
import { FormatError } from "../errors.ts";
import { readTar } from "../tar/index.ts";
import { readChunks, writeChunks } from "../files/chunks.ts";
import { inScratch, scratchDirectory } from "../files/scratch.ts";
import { gunzipped } from "./gunzip.ts";
import type { CallOptions } from "./store.ts";
import { abortable } from "./verify.ts";

/** A tar file whose members are read in any order. Disposing closes it. */
export interface TarFile extends AsyncDisposable {
  /** Links are followed. `undefined` for what is not there and for what is no file. */
  find(path: string): TarPart | undefined;
}

export interface TarPart {
  /** Bytes. */
  readonly size: number;
  /** From `start` to before `end`. */
  read(start?: number, end?: number): AsyncIterable<Uint8Array>;
}

/** Links to links that are followed. */
const LINK_LIMIT = 8;

/**
 * Opens a tar and reads its headers; the bodies are passed over. One that is gzipped is inflated into a temporary file.
 *
 * @throws {FormatError} `TAR_INVALID`
 */
export async function openTarFile(path: string, options: CallOptions = {}): Promise<TarFile> {
  const opened = await openInflated(path, options);
  try {
    const members = await membersOf(opened.file, options.signal);
    return {
      find(name) {
        const member = follow(members, name);
        if (member?.kind !== "file") return undefined;
        const { offset, size } = member;
        return {
          size,
          read: (start = 0, end = size) =>
            readChunks(opened.file, offset + start, offset + Math.min(end, size)),
        };
      },
      [Symbol.asyncDispose]: opened.close,
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

type Member =
  | { readonly kind: "file"; readonly offset: number; readonly size: number }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "other" };

const BLOCK = 512;
const zeros = new Uint8Array(1024 * 1024);

async function membersOf(
  file: FileHandle,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, Member>> {
  const { size } = await file.stat();
  const members = new Map<string, Member>();
  // The reader never takes more than it needs for the next header, so this is where it is.
  let position = 0;
  let bodyEnd = 0;
  const feed = async function* (): AsyncGenerator<Uint8Array, void, void> {
    while (position < size) {
      signal?.throwIfAborted();
      // A body is passed over by the reader, which does not look at it: zeros do, and nothing is read.
      const isBody = position < bodyEnd;
      const length = Math.min(
        isBody ? Math.min(bodyEnd - position, zeros.byteLength) : BLOCK,
        size - position,
      );
      const from = position;
      position += length;
      if (isBody) yield zeros.subarray(0, length);
      else yield* readChunks(file, from, from + length);
    }
  };
  for await (const { header, isSparse } of readTar(feed(), { total: Number.MAX_SAFE_INTEGER })) {
    const path = normal(header.path);
    if (isSparse === true) {
      throw new FormatError("TAR_INVALID", `${header.path} in the archive is a sparse file.`, {
        hint: "Make the archive without --sparse.",
      });
    }
    bodyEnd = position + Math.ceil(header.size / BLOCK) * BLOCK;
    if (header.kind === "file") members.set(path, { kind: "file", offset: position, size: header.size });
    else if (header.kind === "symlink") {
      members.set(path, {
        kind: "link",
        target: normal(posix.join(posix.dirname(path), header.linkTarget ?? "")),
      });
    } else if (header.kind === "hardlink") {
      members.set(path, { kind: "link", target: normal(header.linkTarget ?? "") });
    } else members.set(path, { kind: "other" });
  }
  return members;
}

function follow(members: ReadonlyMap<string, Member>, path: string): Member | undefined {
  let member = members.get(normal(path));
  for (let links = 0; member?.kind === "link" && links < LINK_LIMIT; links++)
    member = members.get(member.target);
  return member;
}

/** `./a`, `/a` and `b/../a` are `a`: names are looked up here, never opened. */
function normal(path: string): string {
  return posix.normalize(`/${path}`).slice(1);
}

interface Opened {
  readonly file: FileHandle;
  readonly close: () => Promise<void>;
}

async function openInflated(path: string, { signal }: CallOptions): Promise<Opened> {
  const file = await open(path);
  let inflated: Opened | undefined;
  try {
    if (!(await file.stat()).isFile()) {
      throw new FormatError("TAR_INVALID", `${path} is no file.`, { hint: "Name an archive's file." });
    }
    const { bytesRead, buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    const isGzip = bytesRead === 2 && buffer.readUInt16BE() === 0x1f8b;
    if (!isGzip) return { file, close: () => file.close() };
    const { size } = await file.stat();
    inflated = await inflatedCopy(abortable(readChunks(file, 0, size), signal));
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return inflated;
}

async function inflatedCopy(zipped: AsyncIterable<Uint8Array>): Promise<Opened> {
  const directory = await scratchDirectory();
  const removed = (): Promise<void> => rm(directory, { recursive: true, force: true });
  try {
    const file = await open(join(directory, "archive.tar"), "wx+");
    const close = async (): Promise<void> => {
      await file.close();
      await removed();
    };
    try {
      await inScratch(writeChunks(file, gunzipped(zipped)));
      return { file, close };
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    await removed();
    throw error;
  }
}
