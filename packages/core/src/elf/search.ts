import { SegmentType, type ElfHeader, type Segment } from "./read.ts";
import type { Window } from "./window.ts";

/** A part of a file; may reach behind its end. */
export interface Stretch {
  readonly offset: number;
  readonly fileSize: number;
}

const step = 1 << 18;

/** Whether one of the marks is in one of the stretches; of all of them together `limit` bytes are read, in their order. */
export async function holdsAny(
  file: Window,
  stretches: readonly Stretch[],
  marks: readonly Buffer[],
  limit: number,
): Promise<boolean> {
  const overlap = Math.max(...marks.map(({ byteLength }) => byteLength));
  let left = limit;
  for (const { offset, fileSize } of stretches) {
    const end = Math.min(offset + Math.min(fileSize, left), file.size);
    for (let at = offset; at < end; at += step) {
      const view = await file.view(at, Math.min(step + overlap, end - at));
      const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
      if (marks.some((mark) => bytes.includes(mark))) return true;
    }
    left -= Math.max(0, end - offset);
  }
  return false;
}

/** What is loaded, constants first: they lie in what is neither written nor executed, or with old linkers beside the code. */
export function constantsFirst({ segments }: ElfHeader): readonly Segment[] {
  const loads = segments.filter(({ type }) => type === SegmentType.load);
  return loads.sort((a, b) => rank(a) - rank(b));
}

/** What is loaded and may be written. */
export function writtenParts({ segments }: ElfHeader): readonly Segment[] {
  return segments.filter(({ type, flags }) => type === SegmentType.load && (flags & 2) !== 0);
}

function rank({ flags }: Segment): number {
  return (flags & 2) * 2 + (flags & 1);
}
