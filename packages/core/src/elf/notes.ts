import { z } from "zod";
import { SegmentType, type ElfHeader } from "./read.ts";
import type { Window } from "./window.ts";

/** What the notes of a program say about what it needs. Absent is not said. */
export interface Notes {
  /** Whose kernel it is made for, and of Linux the oldest version. */
  readonly abi?: { readonly os: string; readonly version?: string };
  /** The level of x86-64 that it needs: 1 is baseline, up to 4. */
  readonly x86Level?: number;
  /** Libraries that it opens when it runs (systemd's `.note.dlopen`). */
  readonly dlopen: readonly DlopenNeed[];
  /** Owners of all notes: `GNU`, `Go`, `NODE_SEA_BLOB`. */
  readonly owners: readonly string[];
}

/** One feature's library: any of `sonames` serves. */
export interface DlopenNeed {
  readonly sonames: readonly string[];
  readonly priority: "required" | "recommended" | "suggested";
  readonly feature?: string;
}

const segmentLimit = 1 << 16;
const noteSegmentLimit = 32;
/** In one segment. */
const noteLimit = 256;
const kernels = ["Linux", "Hurd", "Solaris", "FreeBSD", "NetBSD", "Syllable", "NaCl"];
const foreign = new Set(["FreeBSD", "NetBSD", "OpenBSD", "DragonFly"]);
const dlopenType = 0x407c0c0a;
const propertyType = 5;
const x86IsaNeeded = 0xc0008002;

interface Note {
  readonly owner: string;
  readonly type: number;
  readonly content: DataView;
}

/** Notes that are damaged, or more than a program has, are passed over: nothing that starts it depends on them. */
export async function readNotes(file: Window, header: ElfHeader): Promise<Notes> {
  const isLittle = header.endian === "little";
  const notes: Note[] = [];
  const segments = header.segments.filter(
    ({ type }) => type === SegmentType.note || type === SegmentType.gnuProperty,
  );
  for (const segment of segments.slice(0, noteSegmentLimit)) {
    if (segment.offset + segment.fileSize > file.size) continue;
    // A Node single executable has its whole program in a note: its head is enough to know whose it is.
    const view = await file.view(segment.offset, Math.min(segment.fileSize, segmentLimit));
    notes.push(...notesIn(view, segment.align === 8 ? 8 : 4, isLittle));
  }
  const abi = notes.map((note) => abiOf(note, isLittle)).find((found) => found !== undefined);
  const x86Level = notes.map((note) => x86LevelOf(note, header)).find((found) => found !== undefined);
  return {
    ...(abi === undefined ? {} : { abi }),
    ...(x86Level === undefined ? {} : { x86Level }),
    dlopen: notes.flatMap(dlopenNeeds),
    owners: [...new Set(notes.map(({ owner }) => owner))],
  };
}

function* notesIn(view: DataView, align: number, isLittle: boolean): Generator<Note, void, void> {
  const padded = (length: number): number => Math.ceil(length / align) * align;
  let count = 0;
  for (let at = 0; at + 12 <= view.byteLength && count < noteLimit; count++) {
    const nameSize = view.getUint32(at, isLittle);
    const size = view.getUint32(at + 4, isLittle);
    const start = at + padded(12 + nameSize);
    const name = at + 12;
    if (name + nameSize > view.byteLength) return;
    const bytes = new Uint8Array(view.buffer, view.byteOffset + name, nameSize);
    const end = bytes.indexOf(0);
    const held = Math.max(0, Math.min(size, view.byteLength - start));
    yield {
      owner: Buffer.from(bytes.subarray(0, end === -1 ? nameSize : end)).toString("latin1"),
      type: view.getUint32(at + 8, isLittle),
      content: new DataView(view.buffer, view.byteOffset + (held === 0 ? 0 : start), held),
    };
    at = start + padded(size);
  }
}

function abiOf({ owner, type, content }: Note, isLittle: boolean): Notes["abi"] {
  if (foreign.has(owner) && type === 1) return { os: owner };
  if (owner !== "GNU" || type !== 1 || content.byteLength < 16) return undefined;
  const [kernel = 0, ...version] = [0, 4, 8, 12].map((at) => content.getUint32(at, isLittle));
  return { os: kernels[kernel] ?? `system ${kernel}`, version: version.join(".") };
}

function x86LevelOf({ owner, type, content }: Note, header: ElfHeader): number | undefined {
  if (owner !== "GNU" || type !== propertyType) return undefined;
  const isLittle = header.endian === "little";
  const align = header.class / 8;
  for (let at = 0; at + 8 <= content.byteLength;) {
    const size = content.getUint32(at + 4, isLittle);
    if (content.getUint32(at, isLittle) === x86IsaNeeded && size >= 4 && at + 12 <= content.byteLength) {
      const levels = content.getUint32(at + 8, isLittle) & 0xf;
      return levels === 0 ? undefined : 32 - Math.clz32(levels);
    }
    at += 8 + Math.ceil(size / align) * align;
  }
  return undefined;
}

const dlopenSchema = z.array(
  z.looseObject({
    soname: z.array(z.string()),
    priority: z.enum(["required", "recommended", "suggested"]).default("recommended"),
    feature: z.string().optional(),
  }),
);

function dlopenNeeds({ owner, type, content }: Note): readonly DlopenNeed[] {
  if (owner !== "FDO" || type !== dlopenType) return [];
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString();
  const parsed = dlopenSchema.safeParse(jsonOf(text.replace(/\0+$/, "")));
  if (!parsed.success) return [];
  return parsed.data.map(({ soname, priority, feature }) => ({
    sonames: soname,
    priority,
    ...(feature === undefined ? {} : { feature }),
  }));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
