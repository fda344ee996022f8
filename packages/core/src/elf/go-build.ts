import { SegmentType, type ElfHeader, type Segment } from "./read.ts";
import type { Window } from "./window.ts";

/** What the Go toolchain wrote down of a build: `GOARM`, `GOAMD64`, `CGO_ENABLED` and the like, as they were. */
export type GoBuild = Readonly<Record<string, string>>;

const magic = Buffer.from("\xff Go buildinf:", "latin1");
const alignment = 16;
const headerSize = 32;
/** Where the strings follow in place, as Go 1.18 and later write them. */
const inlineFlag = 2;
/** cgo puts it behind other data. */
const searchLimit = 4 << 20;
const step = 1 << 18;
const infoLimit = 1 << 18;
const settings = /^build\t(GO[A-Z0-9]{2,10}|CGO_ENABLED|-buildmode)=([\w.,-]{1,64})$/;

/** Reads Go's build information (debug/buildinfo), which `-s -w` leaves in place. `undefined`: there is none. */
export async function readGoBuild(file: Window, header: ElfHeader): Promise<GoBuild | undefined> {
  const loads = header.segments.filter(({ type, flags }) => type === SegmentType.load && (flags & 3) !== 1);
  // It lies at the start of what may be written, or in a section of its own.
  for (const segment of [...loads.filter(isWritable), ...loads.filter((load) => !isWritable(load))]) {
    const found = await find(file, segment);
    if (found !== undefined) return settingsAt(file, found);
  }
  return undefined;
}

function isWritable({ flags }: Segment): boolean {
  return (flags & 2) !== 0;
}

async function find(file: Window, { offset, fileSize }: Segment): Promise<number | undefined> {
  const end = Math.min(offset + Math.min(fileSize, searchLimit), file.size);
  for (let at = offset; at + headerSize <= end; at += step) {
    const view = await file.view(at, Math.min(step + headerSize, end - at));
    const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    for (let found = bytes.indexOf(magic); found !== -1; found = bytes.indexOf(magic, found + 1)) {
      if ((at + found - offset) % alignment === 0) return at + found;
    }
  }
  return undefined;
}

async function settingsAt(file: Window, at: number): Promise<GoBuild | undefined> {
  const flags = (await file.view(at + 15, 1)).getUint8(0);
  if ((flags & inlineFlag) === 0) return undefined;
  const version = await stringAt(file, at + headerSize);
  const modules = version === undefined ? undefined : await stringAt(file, version.end);
  if (modules === undefined) return undefined;
  const lines = modules.text.split("\n");
  return Object.fromEntries(
    lines.flatMap((line) => {
      const [, key, value] = settings.exec(line) ?? [];
      return key === undefined || value === undefined ? [] : [[key, value]];
    }),
  );
}

/** A length as Go's `binary.Uvarint`, and so many bytes. */
async function stringAt(
  file: Window,
  at: number,
): Promise<{ readonly text: string; readonly end: number } | undefined> {
  let length = 0;
  let start = at;
  for (let shift = 0; ; shift += 7) {
    if (shift > 21 || start >= file.size) return undefined;
    const byte = (await file.view(start++, 1)).getUint8(0);
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  if (length > infoLimit || start + length > file.size) return undefined;
  const view = await file.view(start, length);
  const text = Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString();
  return { text, end: start + length };
}
