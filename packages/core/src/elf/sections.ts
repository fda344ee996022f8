import type { ElfHeader } from "./read.ts";
import type { Window } from "./window.ts";

/** A section header. Sections may be stripped, and no kernel looks at them: they tell where a file is from, never whether it starts. */
export interface Section {
  readonly name: string;
  /** In the file; may be outside of it. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** More than a linker makes, of the program that has the most. */
const sectionLimit = 256;
const namesLimit = 1 << 16;

/**
 * Reads the section headers with their names; empty where they are stripped.
 *
 * @throws {ElfError} `ELF_TRUNCATED`
 */
export async function readSections(file: Window, header: ElfHeader): Promise<readonly Section[]> {
  const { sectionTable } = header;
  if (sectionTable === undefined || sectionTable.names >= sectionTable.count) return [];
  const wide = header.class === 64;
  const entrySize = wide ? 64 : 40;
  const isLittle = header.endian === "little";
  const read = async (index: number, count: number): Promise<readonly RawSection[]> => {
    const view = await file.view(sectionTable.offset + index * entrySize, count * entrySize);
    const word = (at: number): number =>
      wide ? Number(view.getBigUint64(at, isLittle)) : view.getUint32(at, isLittle);
    return Array.from({ length: count }, (_, n) => {
      const at = n * entrySize;
      const [offset, size] = wide ? [at + 24, at + 32] : [at + 16, at + 20];
      return { name: view.getUint32(at, isLittle), offset: word(offset), size: word(size) };
    });
  };
  const [table] = await read(sectionTable.names, 1);
  if (table === undefined) return [];
  const view = await file.view(table.offset, Math.min(table.size, namesLimit));
  const names = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  const raw = await read(0, Math.min(sectionTable.count, sectionLimit));
  return raw.map(({ name, offset, size }) => ({ name: nameAt(names, name), offset, size }));
}

interface RawSection {
  /** Where it is in the table of names. */
  readonly name: number;
  readonly offset: number;
  readonly size: number;
}

const nameLimit = 64;

function nameAt(names: Buffer, at: number): string {
  const name = names.subarray(at, at + nameLimit);
  const end = name.indexOf(0);
  return name.subarray(0, end === -1 ? name.byteLength : end).toString("latin1");
}
