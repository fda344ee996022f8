import type { TinyElf } from "./tiny-elf.ts";

/** A program that has Go's note and its build information, as Go 1.18 and later write them. */
export function withGoBuild(elf: TinyElf, settings: Readonly<Record<string, string>>): TinyElf {
  const lines = ["path\thello", ...Object.entries(settings).map(([key, value]) => `build\t${key}=${value}`)];
  const frame = "0".repeat(16);
  const head = Buffer.alloc(32);
  head.write("\xff Go buildinf:", "latin1");
  head[14] = 8;
  head[15] = 2;
  const info = Buffer.concat([head, counted("go1.22.0"), counted(`${frame}${lines.join("\n")}\n${frame}`)]);
  return {
    ...elf,
    notes: [...(elf.notes ?? []), { owner: "Go", type: 4, content: new Uint8Array(4) }],
    // Wherever the data begin, one of the two is on a boundary of 16 bytes.
    data: Buffer.concat([info, Buffer.alloc(8 + ((16 - (info.byteLength % 16)) % 16)), info]),
  };
}

function counted(text: string): Buffer {
  const length = Buffer.byteLength(text);
  return Buffer.concat([Buffer.of((length & 0x7f) | 0x80, length >> 7), Buffer.from(text)]);
}

/** Hangs a section table with `.ARM.attributes` of those tags behind a file for Arm. */
export function withArmAttributes(
  elf: Uint8Array,
  tags: Readonly<Record<number, number>>,
  { version = 0x41, length }: { readonly version?: number; readonly length?: number } = {},
): Uint8Array {
  // Tag_CPU_name comes first: a text, which has to be passed over.
  const attributes = Buffer.concat([
    Buffer.from("\x05cpu\0", "latin1"),
    Buffer.from(Object.entries(tags).flatMap(([tag, value]) => [Number(tag), value])),
  ]);
  const section = Buffer.alloc(1 + 4 + 6 + 5 + attributes.byteLength);
  section[0] = version;
  section.writeUInt32LE(length ?? section.byteLength - 1, 1);
  section.write("aeabi\0", 5, "latin1");
  section[11] = 1;
  section.writeUInt32LE(5 + attributes.byteLength, 12);
  section.set(attributes, 16);
  const table = Buffer.alloc(80);
  table.writeUInt32LE(0x70000003, 40 + 4);
  table.writeUInt32LE(elf.byteLength, 40 + 16);
  table.writeUInt32LE(section.byteLength, 40 + 20);
  const file = Buffer.concat([elf, section, table]);
  file.writeUInt32LE(elf.byteLength + section.byteLength, 32);
  file.writeUInt16LE(40, 46);
  file.writeUInt16LE(2, 48);
  return file;
}
