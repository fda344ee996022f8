import { SegmentType, type ElfHeader, type Segment } from "./read.ts";
import type { Window } from "./window.ts";

/** What glibc makes the names of its lookup libraries from; a static program that looks nothing up has it not. */
const mark = Buffer.from("libnss_%s.so");
const searchLimit = 8 << 20;
const step = 1 << 18;

/** Whether a static program has glibc's name service switch in it, which opens libraries whatever it was linked with. */
export async function opensNss(file: Window, header: ElfHeader): Promise<boolean> {
  let left = searchLimit;
  const loads = header.segments.filter(({ type }) => type === SegmentType.load);
  // Constants lie in what is neither written nor executed, or with old linkers beside the code.
  for (const { offset, fileSize } of loads.sort((a, b) => rank(a) - rank(b))) {
    const end = Math.min(offset + Math.min(fileSize, left), file.size);
    for (let at = offset; at < end; at += step) {
      const view = await file.view(at, Math.min(step + mark.byteLength, end - at));
      if (Buffer.from(view.buffer, view.byteOffset, view.byteLength).includes(mark)) return true;
    }
    left -= Math.max(0, end - offset);
  }
  return false;
}

function rank({ flags }: Segment): number {
  return (flags & 2) * 2 + (flags & 1);
}
