import type { ByteSource } from "./byte-source.ts";
import { readDynamic, type DynamicTable, type LibraryFilter } from "./dynamic.ts";
import { ElfError } from "./elf-error.ts";
import { readEvidence, type Evidence } from "./evidence.ts";
import { linkageOf, type Linkage } from "./linkage.ts";
import { mappingFault, type MappingFault } from "./mapping.ts";
import { readLoader, type LoaderFacts } from "./loader.ts";
import type { MachineFacts } from "./machine.ts";
import { readNotes, type Notes } from "./notes.ts";
import { FileType, readHeader, SegmentType, type ElfHeader } from "./read.ts";
import { readVersionDefinitions, readVersionNeeds, type LibraryVersions } from "./versions.ts";
import { wholenessOf } from "./wholeness.ts";
import { windowOf, type Window } from "./window.ts";

/** What an ELF file says that the kernel and the loader would look at. Plain JSON: it can be kept in an index. */
export interface ElfFacts extends MachineFacts, Evidence {
  /** `other`: none of ELF's own, or 0. */
  readonly type: "rel" | "exec" | "dyn" | "core" | "other";
  /** `EI_OSABI`. */
  readonly osAbi: number;
  /** `e_flags`. */
  readonly flags: number;
  /** As `0x401000`; `0x0` is none. */
  readonly entry: string;
  readonly linkage: Linkage;
  readonly wholeness: "whole" | "debug-only" | "truncated";
  /** Of programs and loaders that the kernel cannot start. */
  readonly mapping?: MappingFault;
  /** The first PT_INTERP, up to its first NUL. */
  readonly interpreter?: string;
  readonly hasDynamic: boolean;
  readonly needed: readonly string[];
  readonly soname?: string;
  readonly rpath?: string;
  readonly runpath?: string;
  /** `DT_FLAGS_1`. */
  readonly flags1: number;
  readonly filters?: readonly LibraryFilter[];
  readonly versionNeeds: readonly LibraryVersions[];
  readonly versionDefinitions: readonly string[];
  /** Of loaders. */
  readonly loader?: LoaderFacts;
  readonly notes: Notes;
  /** Parts that could not be read; they are as if they were empty. */
  readonly faults: readonly ElfFault[];
}

/** An `ElfError` as data. */
export interface ElfFault {
  readonly code: string;
  readonly message: string;
}

const types: Readonly<Record<number, ElfFacts["type"]>> = { 1: "rel", 2: "exec", 3: "dyn", 4: "core" };
const noNotes: Notes = { dlopen: [], owners: [] };

/**
 * Reads an ELF file's facts, a few windows of it. Sections tell what Arm says of its processor and which compiler made a dynamic
 * program, and nothing else, so stripped files are judged as others are.
 *
 * @throws {ElfError} where the kernel would not go on: `ELF_NOT`, `ELF_HEADER_INVALID`, `ELF_PROGRAM_HEADERS_INVALID`,
 *   `ELF_TRUNCATED`
 */
export async function readElf(source: ByteSource): Promise<ElfFacts> {
  const file = windowOf(source);
  const header = await readHeader(file);
  const wholeness = isProgram(header) ? wholenessOf(header, file.size) : "whole";
  const faults: ElfFault[] = [];
  const attempt = async <T>(part: Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await part;
    } catch (error) {
      if (!(error instanceof ElfError)) throw error;
      faults.push({ code: error.code, message: error.message });
      return otherwise;
    }
  };
  const isReadable = isProgram(header) && wholeness !== "debug-only";
  const interpreter = isReadable ? await attempt(readInterpreter(file, header), undefined) : undefined;
  const dynamic = isReadable ? await attempt(readDynamic(file, header), undefined) : undefined;
  const versionNeeds =
    dynamic === undefined ? [] : await attempt(readVersionNeeds(file, header, dynamic), []);
  const versionDefinitions =
    dynamic === undefined ? [] : await attempt(readVersionDefinitions(file, header, dynamic), []);
  const notes = isReadable ? await attempt(readNotes(file, header), noNotes) : noNotes;
  const hasDynamic = header.segments.some(({ type }) => type === SegmentType.dynamic);
  const isUnknown = hasDynamic && dynamic === undefined;
  const musl = dynamic === undefined ? undefined : await attempt(readMusl(file, header, dynamic), undefined);
  const linkage: Linkage =
    wholeness === "debug-only"
      ? "not-executable"
      : linkageOf({
          header,
          ...(dynamic === undefined ? {} : { dynamic }),
          upx: await attempt(hasUpxMark(file, header), false),
          musl: musl !== undefined,
        });
  const loader =
    linkage === "loader" ? (musl ?? (await attempt(readLoader(file, "any"), undefined))) : undefined;
  const mapping =
    isReadable && linkage !== "shared"
      ? await attempt(mappingFault(file, header, interpreter), undefined)
      : undefined;
  const evidence = isReadable
    ? await readEvidence(file, header, {
        linkage,
        notes,
        ...(interpreter === undefined ? {} : { interpreter }),
        ...(dynamic === undefined ? {} : { dynamic }),
        ...(loader === undefined ? {} : { loader }),
      })
    : {};
  return {
    class: header.class,
    endian: header.endian,
    machine: header.machine,
    type: types[header.type] ?? "other",
    osAbi: header.osAbi,
    flags: header.flags,
    entry: `0x${header.entry.toString(16)}`,
    // A program whose dynamic section nobody can read is not proved to need nothing.
    linkage: isUnknown && isReadable && linkage !== "dynamic" ? "broken" : linkage,
    wholeness,
    ...(mapping === undefined ? {} : { mapping }),
    ...(interpreter === undefined ? {} : { interpreter }),
    hasDynamic,
    needed: dynamic?.needed ?? [],
    ...(dynamic?.soname === undefined ? {} : { soname: dynamic.soname }),
    ...(dynamic?.rpath === undefined ? {} : { rpath: dynamic.rpath }),
    ...(dynamic?.runpath === undefined ? {} : { runpath: dynamic.runpath }),
    flags1: dynamic?.flags1 ?? 0,
    ...(dynamic?.filters === undefined ? {} : { filters: dynamic.filters }),
    versionNeeds,
    versionDefinitions,
    ...(loader === undefined ? {} : { loader }),
    notes,
    ...evidence,
    faults,
  };
}

function isProgram({ type }: ElfHeader): boolean {
  return type === FileType.exec || type === FileType.dyn;
}

/** As the kernel reads it: 2 to 4096 bytes of which the last is NUL, and an earlier NUL ends it. */
async function readInterpreter(file: Window, header: ElfHeader): Promise<string | undefined> {
  const segment = header.segments.find(({ type }) => type === SegmentType.interp);
  if (segment === undefined) return undefined;
  const { offset, fileSize } = segment;
  if (fileSize < 2 || fileSize > 4096) {
    throw new ElfError(
      "ELF_INTERPRETER_INVALID",
      `PT_INTERP has ${fileSize} bytes; the kernel takes 2 to 4096.`,
    );
  }
  const view = await file.view(offset, fileSize);
  if (view.getUint8(fileSize - 1) !== 0) {
    throw new ElfError("ELF_INTERPRETER_INVALID", "PT_INTERP does not end in a NUL.");
  }
  if (view.getUint8(0) === 0) throw new ElfError("ELF_INTERPRETER_INVALID", "PT_INTERP names nothing.");
  return file.text(offset, fileSize);
}

/** UPX takes PT_INTERP and PT_DYNAMIC away and leaves its mark behind the program headers (`l_info`). */
async function hasUpxMark(file: Window, header: ElfHeader): Promise<boolean> {
  const at = header.tableEnd + 4;
  if (header.tableEnd === 0 || at + 4 > file.size) return false;
  return (await file.view(at, 4)).getUint32(0) === 0x55505821;
}

/** musl's libc is its loader too, under a name that says neither. */
async function readMusl(
  file: Window,
  header: ElfHeader,
  dynamic: DynamicTable,
): Promise<LoaderFacts | undefined> {
  const isCandidate =
    header.type === FileType.dyn &&
    header.entry !== 0n &&
    dynamic.needed.length === 0 &&
    /^(?:libc\.|ld-musl-|$)/.test(dynamic.soname ?? "");
  return isCandidate ? readLoader(file, "musl") : undefined;
}
