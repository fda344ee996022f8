import type { ElfHeader } from "./read.ts";
import { constantsFirst, holdsAny } from "./search.ts";
import type { Window } from "./window.ts";

/** What glibc makes the names of its lookup libraries from; a static program that looks nothing up has it not. */
const mark = Buffer.from("libnss_%s.so");
const searchLimit = 8 << 20;

/** Whether a static program has glibc's name service switch in it, which opens libraries whatever it was linked with. */
export async function opensNss(file: Window, header: ElfHeader): Promise<boolean> {
  return holdsAny(file, constantsFirst(header), [mark], searchLimit);
}
