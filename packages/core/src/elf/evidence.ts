import { readArmAttributes, type ArmAttributes } from "./arm-attributes.ts";
import type { DynamicTable } from "./dynamic.ts";
import { ElfError } from "./elf-error.ts";
import { readGoBuild, type GoBuild } from "./go-build.ts";
import type { Linkage } from "./linkage.ts";
import type { LoaderFacts } from "./loader.ts";
import { isBusybox } from "./busybox.ts";
import { makerOf, type Maker } from "./maker.ts";
import type { Notes } from "./notes.ts";
import { opensNss } from "./nss.ts";
import type { ElfHeader } from "./read.ts";
import { readSymbols, type Symbols } from "./symbols.ts";
import type { Window } from "./window.ts";

/** What a file tells of itself that neither the kernel nor glibc's loader looks at before it starts. */
export interface Evidence {
  /** Of programs, where it shows. */
  readonly maker?: Maker;
  /** Of programs by Go. */
  readonly go?: GoBuild;
  /** Of files for Arm. */
  readonly arm?: ArmAttributes;
  /** Of what musl's loader loads; of others nobody asks. */
  readonly symbols?: Symbols;
  /** Of programs: it is BusyBox, whatever its file is called. Absent is no. */
  readonly busybox?: boolean;
  /** Of static programs with glibc: it opens `libnss_….so` when it looks up users or hosts. Absent is no. */
  readonly opensNss?: boolean;
}

/** What is known of the file already. */
export interface Known {
  readonly linkage: Linkage;
  readonly interpreter?: string;
  readonly dynamic?: DynamicTable;
  readonly loader?: LoaderFacts;
  readonly notes: Notes;
}

/** Parts that are damaged are as if they were not there: no start depends on them. */
export async function readEvidence(file: Window, header: ElfHeader, known: Known): Promise<Evidence> {
  const { linkage, dynamic } = known;
  const maker = await ifReadable(makerOf(file, header, known));
  const go = maker === "go" ? await ifReadable(readGoBuild(file, header)) : undefined;
  const arm = await ifReadable(readArmAttributes(file, header));
  const symbols =
    dynamic !== undefined && isForMusl(dynamic, known)
      ? await ifReadable(readSymbols(file, header, dynamic))
      : undefined;
  const { CGO_ENABLED: cgo }: GoBuild = go ?? {};
  const mayOpen = (linkage === "static" || linkage === "static-pie") && cgo !== "0";
  const nss = mayOpen ? await ifReadable(opensNss(file, header)) : undefined;
  const mayBeBusybox = maker === undefined || maker === "c";
  const busybox = mayBeBusybox ? await ifReadable(isBusybox(file, header, known)) : undefined;
  return {
    ...(maker === undefined ? {} : { maker }),
    ...(go === undefined ? {} : { go }),
    ...(arm === undefined ? {} : { arm }),
    ...(symbols === undefined ? {} : { symbols }),
    ...(busybox === true ? { busybox: true } : {}),
    ...(nss === true ? { opensNss: true } : {}),
  };
}

async function ifReadable<T>(part: Promise<T>): Promise<T | undefined> {
  try {
    return await part;
  } catch (error) {
    if (error instanceof ElfError) return undefined;
    throw error;
  }
}

/** musl's libc goes by two names, Alpine's and its own; what needs nothing at all may be anybody's. */
function isForMusl({ needed, filters }: DynamicTable, { interpreter, loader }: Known): boolean {
  if (loader !== undefined) return loader.kind === "musl";
  const needsNothing = needed.length === 0 && filters === undefined && interpreter === undefined;
  return needsNothing || needed.some((name) => name === "libc.so" || name.startsWith("libc.musl-"));
}
