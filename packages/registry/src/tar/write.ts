import { pack, type Pack } from "tar-stream";
import { FormatError } from "../errors.ts";
import type { TarEntry, TarHeader } from "./header.ts";
import { paxOf, type PaxValues } from "./pax-records.ts";

/**
 * A tar of the entries, in the order given: ustar headers, pax records only where ustar is too small. The same entries
 * give the same bytes.
 *
 * This file knows tar-stream, and its surprises: it writes into the header that it is given, takes mode 0 and a missing
 * time for unset, clamps owners above 0o777777, wraps times after 2038, gives directories no trailing `/`, writes link
 * targets that are not ASCII as they are, takes records of text alone, and ends the process with a sink's error that nobody
 * listens to.
 *
 * @throws {FormatError} `TAR_INVALID` when a body is not as long as its header says, or a value cannot be written
 */
export async function* writeTar(
  entries: Iterable<TarEntry> | AsyncIterable<TarEntry>,
): AsyncGenerator<Uint8Array, void, void> {
  const packer = pack();
  const filled = fill(packer, entries).catch((error: unknown) => {
    packer.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  });
  // Awaited below; until then the packer carries the error.
  filled.catch(() => {});
  let complete = false;
  try {
    for await (const chunk of packer) {
      if (chunk instanceof Uint8Array) yield chunk;
    }
    complete = true;
  } finally {
    packer.destroy();
    if (complete) await filled;
    else await filled.catch(() => {});
  }
}

async function fill(packer: Pack, entries: Iterable<TarEntry> | AsyncIterable<TarEntry>): Promise<void> {
  for await (const { header, body } of entries) {
    if (body === undefined || body instanceof Uint8Array) {
      await opened(packer, header, body ?? new Uint8Array(0)).done;
    } else {
      const entry = opened(packer, header, undefined);
      await poured(entry, header, body);
      await entry.done;
    }
  }
  packer.finalize();
}

interface OpenEntry {
  readonly sink: ReturnType<Pack["entry"]>;
  /** Settles once the packer has taken all of the entry. */
  readonly done: Promise<void>;
}

function opened(packer: Pack, header: TarHeader, small: Uint8Array | undefined): OpenEntry {
  if (small !== undefined && small.byteLength !== header.size) throw wrongLength(header, small.byteLength);
  const { promise: done, settle } = settled();
  const fields = packFields(header);
  const sink =
    small === undefined || header.kind !== "file"
      ? packer.entry(fields, settle)
      : packer.entry(fields, Buffer.from(small.buffer, small.byteOffset, small.byteLength), settle);
  sink.on("error", () => {});
  return { sink, done };
}

async function poured(
  { sink, done }: OpenEntry,
  header: TarHeader,
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  let written = 0;
  for await (const chunk of body) {
    written += chunk.byteLength;
    if (written > header.size) throw wrongLength(header, written);
    if (chunk.byteLength === 0 || sink.write(chunk)) continue;
    // `done` ends the waiting when the packer is destroyed meanwhile.
    await Promise.race([new Promise((resolve) => sink.once("drain", () => resolve(undefined))), done]);
  }
  if (written !== header.size) throw wrongLength(header, written);
  sink.end(undefined);
}

function settled(): { promise: Promise<void>; settle: (error?: Error | null) => void } {
  let settle: (error?: Error | null) => void = () => {};
  const promise = new Promise<void>((resolve, reject) => {
    settle = (error) => {
      if (error === undefined || error === null) resolve();
      else reject(error);
    };
  });
  promise.catch(() => {});
  return { promise, settle };
}

function wrongLength(header: TarHeader, length: number): FormatError {
  return new FormatError(
    "TAR_INVALID",
    `${header.path} has ${length > header.size ? "at least " : ""}${length} bytes; its header says ${header.size}.`,
    { hint: "It changed while it was read; build again." },
  );
}

const TYPES = {
  file: "file",
  directory: "directory",
  symlink: "symlink",
  hardlink: "link",
  "character-device": "character-device",
  "block-device": "block-device",
  fifo: "fifo",
} as const;

function packFields(header: TarHeader) {
  const name = header.kind === "directory" ? `${header.path}/` : header.path;
  const pax = paxOf(header, name);
  return {
    name,
    type: TYPES[header.kind],
    // A bit that is masked off again, so that 0 is not taken for unset.
    mode: header.mode | 0o100000,
    uid: pax?.["uid"] === undefined ? header.uid : 0,
    gid: pax?.["gid"] === undefined ? header.gid : 0,
    mtime: new Date(pax?.["mtime"] === undefined ? header.mtime * 1000 : 0),
    size: header.kind === "file" ? header.size : 0,
    ...(header.linkTarget === undefined ? {} : { linkname: header.linkTarget }),
    devmajor: header.deviceMajor ?? 0,
    devminor: header.deviceMinor ?? 0,
    ...(pax === undefined ? {} : { pax: textsOf(pax, header) }),
  };
}

function textsOf(pax: PaxValues, { path }: TarHeader): Record<string, string> {
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const texts: Record<string, string> = {};
  for (const [key, value] of Object.entries(pax)) {
    try {
      texts[key] = typeof value === "string" ? value : utf8.decode(value);
    } catch (cause) {
      throw new FormatError("TAR_INVALID", `${path} has ${key}, which is not UTF-8.`, { cause });
    }
  }
  return texts;
}
