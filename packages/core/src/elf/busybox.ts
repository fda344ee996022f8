import type { KnownOfProgram } from "./maker.ts";
import type { ElfHeader } from "./read.ts";
import { constantsFirst, holdsAny } from "./search.ts";
import type { Window } from "./window.ts";

/** What every version begins its help with. */
const mark = Buffer.from("BusyBox v");
/** More than a BusyBox of all its programs has, and than any has libraries. */
const sizeLimit = 4 << 20;
const librariesLimit = 8;

/** Whether a program is BusyBox: one file under many names, which does what it is called as. */
export async function isBusybox(
  file: Window,
  header: ElfHeader,
  { linkage, dynamic }: KnownOfProgram,
): Promise<boolean> {
  const isProgram = linkage === "static" || linkage === "static-pie" || linkage === "dynamic";
  const needed = dynamic?.needed.length ?? 0;
  if (!isProgram || file.size > sizeLimit || needed > librariesLimit) return false;
  return holdsAny(file, constantsFirst(header), [mark], sizeLimit);
}
