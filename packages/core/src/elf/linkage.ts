import { DynamicFlag, type DynamicSection } from "./dynamic.ts";
import { FileType, SegmentType, type ElfHeader } from "./read.ts";

/** How an ELF file gets its libraries, and what it is. */
export type Linkage =
  /** Loads at its own address; needs nothing. */
  | "static"
  /** Loads anywhere, relocates itself; needs nothing. */
  | "static-pie"
  /** Has an interpreter, the loader, whatever else it needs. */
  | "dynamic"
  /** Needs libraries and has no interpreter that would load them. */
  | "broken"
  /** Unpacks itself: what it needs cannot be seen. */
  | "packed"
  /** A library. */
  | "shared"
  /** The loader itself, which starts alone. */
  | "loader"
  /** No program: an object file, a core, debug information, or not ELF at all. */
  | "not-executable";

/** What the rule looks at. */
export interface LinkageFacts {
  readonly header: ElfHeader;
  readonly dynamic?: DynamicSection;
  /** `UPX!` behind the program headers. */
  readonly upx: boolean;
  /** Names musl's path file, which only musl's libc does. */
  readonly musl: boolean;
}

/** Whether a file's name, or a library's, is one that loaders have. */
export function isLoaderName(name: string): boolean {
  return /^(?:ld-|ld64\.|ld\.so)/.test(name);
}

/** PT_INTERP decides, then DT_NEEDED; of the rest, what the linker said it made. */
export function linkageOf({ header, dynamic, upx, musl }: LinkageFacts): Linkage {
  const { type, segments } = header;
  if (type !== FileType.exec && type !== FileType.dyn) return "not-executable";
  if (segments.some((segment) => segment.type === SegmentType.interp)) return "dynamic";
  if (upx) return "packed";
  const isPie = ((dynamic?.flags1 ?? 0) & DynamicFlag.pie) !== 0;
  const needs = (dynamic?.needed.length ?? 0) > 0;
  if (needs && (type === FileType.exec || isPie)) return "broken";
  if (type === FileType.exec) return "static";
  if (isPie) return "static-pie";
  if (dynamic === undefined) return header.entry === 0n ? "shared" : "packed";
  if (needs) return "shared";
  if (musl || isLoaderName(dynamic.soname ?? "")) return "loader";
  // Old linkers do not set DF_1_PIE.
  return dynamic.soname === undefined && header.entry !== 0n ? "static-pie" : "shared";
}
