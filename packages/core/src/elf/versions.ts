import type { DynamicTable } from "./dynamic.ts";
import { ElfError } from "./elf-error.ts";
import type { ElfHeader } from "./read.ts";
import type { Window } from "./window.ts";

/** A version that a library must define. */
export interface VersionNeed {
  readonly name: string;
  /** The loader only tells that it is missing. */
  readonly weak: boolean;
}

/** The versions that are needed of one library. */
export interface LibraryVersions {
  /** As in DT_NEEDED. */
  readonly library: string;
  readonly versions: readonly VersionNeed[];
}

const weakFlag = 2;
const baseFlag = 1;
// All records of a file; libstdc++ has some hundreds.
const recordLimit = 65536;

/**
 * What a file needs of others, in the file's order.
 *
 * @throws {ElfError} `ELF_VERSIONS_INVALID`, `ELF_TRUNCATED`, `ELF_TOO_LARGE`
 */
export async function readVersionNeeds(
  file: Window,
  header: ElfHeader,
  dynamic: DynamicTable,
): Promise<readonly LibraryVersions[]> {
  const isLittle = header.endian === "little";
  const count = counter();
  const result: LibraryVersions[] = [];
  for (let at = dynamic.versionNeeds, next = 1; at !== undefined && next !== 0; at += next) {
    count();
    const need = await file.view(at, 16);
    const versions: VersionNeed[] = [];
    let item = at + need.getUint32(8, isLittle);
    for (let left = need.getUint16(2, isLittle); left > 0; left--) {
      count();
      const version = await file.view(item, 16);
      const weak = (version.getUint16(4, isLittle) & weakFlag) !== 0;
      versions.push({ name: await stringAt(file, dynamic, version.getUint32(8, isLittle)), weak });
      const step = version.getUint32(12, isLittle);
      if (step === 0) break;
      item += step;
    }
    result.push({ library: await stringAt(file, dynamic, need.getUint32(4, isLittle)), versions });
    next = need.getUint32(12, isLittle);
  }
  return result;
}

/**
 * The names of the versions that a library defines; its own name, the base version, is none.
 *
 * @throws {ElfError} as {@link readVersionNeeds}
 */
export async function readVersionDefinitions(
  file: Window,
  header: ElfHeader,
  dynamic: DynamicTable,
): Promise<readonly string[]> {
  const isLittle = header.endian === "little";
  const count = counter();
  const names: string[] = [];
  for (let at = dynamic.versionDefinitions, next = 1; at !== undefined && next !== 0; at += next) {
    count();
    const definition = await file.view(at, 20);
    if ((definition.getUint16(2, isLittle) & baseFlag) === 0) {
      const name = await file.view(at + definition.getUint32(12, isLittle), 8);
      names.push(await stringAt(file, dynamic, name.getUint32(0, isLittle)));
    }
    next = definition.getUint32(16, isLittle);
  }
  return names;
}

function counter(): () => void {
  let records = 0;
  return () => {
    records++;
    if (records > recordLimit) {
      throw new ElfError("ELF_TOO_LARGE", `The file has more than ${recordLimit} version records.`);
    }
  };
}

async function stringAt(file: Window, { strings }: DynamicTable, at: number): Promise<string> {
  if (strings === undefined || at >= strings.size) {
    throw new ElfError("ELF_VERSIONS_INVALID", `The name ${at} of a version is outside of the string table.`);
  }
  return file.text(strings.offset + at);
}
