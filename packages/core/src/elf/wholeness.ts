import { SegmentType, type ElfHeader } from "./read.ts";

/**
 * Whether a program's contents are there. `debug-only`: what `objcopy --only-keep-debug` and `eu-strip -f` leave behind, a
 * program's headers and symbols without its code. `truncated`: the file ends before what its headers promise.
 */
export function wholenessOf(header: ElfHeader, size: number): "whole" | "debug-only" | "truncated" {
  const loads = header.segments.filter(({ type, memorySize }) => type === SegmentType.load && memorySize > 0);
  const named = header.segments.filter(
    ({ type }) => type === SegmentType.interp || type === SegmentType.dynamic,
  );
  // Of a library, which begins nowhere, this says nothing.
  const hasCode =
    header.entry !== 0n &&
    loads.some(
      ({ address, fileSize }) => header.entry >= address && header.entry < address + BigInt(fileSize),
    );
  const isHollow =
    !hasCode &&
    (named.some(({ fileSize }) => fileSize === 0) ||
      (loads.length > 1 && named.length === 0 && loads.slice(1).every(({ fileSize }) => fileSize === 0)));
  if (isHollow) return "debug-only";
  // How long PT_DYNAMIC is said to be is nothing that anybody looks at: its own end counts, which is loaded.
  const counted = header.segments.filter(({ type }) => type === SegmentType.interp);
  if ([...loads, ...counted].every(({ offset, fileSize }) => offset + fileSize <= size)) return "whole";
  // The section table lies at a file's end: where it is still there, the file was not cut but hollowed out.
  return header.sectionTable !== undefined ? "debug-only" : "truncated";
}
