/** Hangs a section table behind a little-endian 64-bit file: sections of those names and contents, and the names. */
export function withSections(elf: Uint8Array, sections: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const names = ["", ...Object.keys(sections), ".shstrtab"];
  const strings = Buffer.from(`${names.join("\0")}\0`);
  const contents = [...Object.values(sections), strings];
  const table = Buffer.alloc(64 * names.length);
  let offset = elf.byteLength;
  contents.forEach((content, n) => {
    const at = 64 * (n + 1);
    table.writeUInt32LE(strings.indexOf(`\0${names[n + 1] ?? ""}\0`) + 1, at);
    table.writeUInt32LE(1, at + 4);
    table.writeBigUInt64LE(BigInt(offset), at + 24);
    table.writeBigUInt64LE(BigInt(content.byteLength), at + 32);
    offset += content.byteLength;
  });
  const file = Buffer.concat([elf, ...contents, table]);
  file.writeBigUInt64LE(BigInt(offset), 40);
  file.writeUInt16LE(64, 58);
  file.writeUInt16LE(names.length, 60);
  file.writeUInt16LE(names.length - 1, 62);
  return file;
}
