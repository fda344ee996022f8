import type { ElfHeader } from "./read.ts";
import type { Window } from "./window.ts";

/** What the linker says of the Arm processor that it linked for. Absent is not said. */
export interface ArmAttributes {
  /** The architecture's version: 5 to 8. */
  readonly level?: number;
  /** How floating point numbers are handed to functions; `any`: none are. */
  readonly float?: "soft" | "hard" | "any";
}

const machineArm = 40;
const sectionType = 0x70000003;
/** More sections than a program has, and more than anybody writes of its attributes. */
const sectionLimit = 256;
const sizeLimit = 4096;

const Tag = { cpuArchitecture: 6, compatibility: 32, floatArguments: 28 } as const;
const floats = ["soft", "hard", undefined, "any"] as const;
/** By `Tag_CPU_arch`: pre-v4, v4, v4T, v5T, v5TE, v5TEJ, v6, v6KZ, v6T2, v6K, v7, v6-M, v6S-M, v7E-M; v8 and later behind. */
const levels = [4, 4, 4, 5, 5, 5, 6, 6, 6, 6, 7, 6, 6, 7];

/**
 * Reads `.ARM.attributes` (Addenda to the Arm ABI, "Build attributes"), the one thing that only a section has. `undefined`: another
 * machine, a stripped section table, or none.
 */
export async function readArmAttributes(file: Window, header: ElfHeader): Promise<ArmAttributes | undefined> {
  const { sectionTable } = header;
  if (header.machine !== machineArm || header.class !== 32 || sectionTable === undefined) return undefined;
  const isLittle = header.endian === "little";
  const count = Math.min(sectionTable.count, sectionLimit);
  const table = await file.view(sectionTable.offset, count * 40);
  for (let at = 0; at < count * 40; at += 40) {
    if (table.getUint32(at + 4, isLittle) !== sectionType) continue;
    const [offset, size] = [table.getUint32(at + 16, isLittle), table.getUint32(at + 20, isLittle)];
    if (offset + Math.min(size, sizeLimit) > file.size) return undefined;
    return parseAttributes(await file.view(offset, Math.min(size, sizeLimit)), isLittle);
  }
  return undefined;
}

/** `A`, then for each vendor a length, its name, and the attributes of the whole file behind a tag of 1 and a length. */
function parseAttributes(view: DataView, isLittle: boolean): ArmAttributes | undefined {
  if (view.byteLength < 1 || view.getUint8(0) !== 0x41) return undefined;
  for (let at = 1; at + 4 <= view.byteLength;) {
    const length = view.getUint32(at, isLittle);
    const end = Math.min(at + length, view.byteLength);
    const name = Buffer.from(view.buffer, view.byteOffset + at + 4, Math.max(0, end - at - 4));
    const start = at + 4 + "aeabi\0".length;
    if (name.toString("latin1").startsWith("aeabi\0") && start + 5 <= end && view.getUint8(start) === 1) {
      const last = Math.min(start + view.getUint32(start + 1, isLittle), end);
      return attributesIn(view, start + 5, last);
    }
    if (length === 0) return undefined;
    at += length;
  }
  return undefined;
}

function attributesIn(view: DataView, start: number, end: number): ArmAttributes {
  let level: number | undefined;
  let float: ArmAttributes["float"];
  for (let at = start; at < end;) {
    const tag = numberAt(view, at, end);
    at = tag.end;
    const isText =
      tag.value === 4 || tag.value === 5 || (tag.value > Tag.compatibility && tag.value % 2 === 1);
    if (isText) {
      at = textEnd(view, at, end);
      continue;
    }
    const { value, end: behind } = numberAt(view, at, end);
    at = tag.value === Tag.compatibility ? textEnd(view, behind, end) : behind;
    if (tag.value === Tag.cpuArchitecture) level = levels[value] ?? 8;
    if (tag.value === Tag.floatArguments) float = floats[value];
  }
  return { ...(level === undefined ? {} : { level }), ...(float === undefined ? {} : { float }) };
}

/** ULEB128. */
function numberAt(
  view: DataView,
  start: number,
  limit: number,
): { readonly value: number; readonly end: number } {
  let value = 0;
  let at = start;
  for (let shift = 0; at < limit; shift += 7) {
    const byte = view.getUint8(at++);
    if (shift < 28) value |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return { value, end: at };
}

function textEnd(view: DataView, start: number, limit: number): number {
  let at = start;
  while (at < limit && view.getUint8(at) !== 0) at++;
  return at + 1;
}
