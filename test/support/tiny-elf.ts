/**
 * ELF files made by hand, of some hundred bytes: all in one PT_LOAD, without sections. Those for linux/amd64 run, and
 * its loader takes them, so that no test needs a compiler to have every kind of file for every platform.
 */

/** What to make. Everything has a default: `buildElf({})` is a static program for linux/amd64 that ends with 0. */
export interface TinyElf {
  readonly platform?: TinyPlatform;
  /** Default: `exec`, and `dyn` with any of `pie` and `soname`. */
  readonly type?: "rel" | "exec" | "dyn" | "core" | number;
  readonly osAbi?: number;
  readonly flags?: number;
  /** Default: where the code is; libraries have none. */
  readonly entry?: number;
  readonly interpreter?: string | Uint8Array;
  readonly needed?: readonly string[];
  readonly soname?: string;
  /** DT_FILTER and DT_AUXILIARY. */
  readonly filters?: readonly string[];
  readonly auxiliaries?: readonly string[];
  readonly rpath?: string;
  readonly runpath?: string;
  readonly pie?: boolean;
  /** More bits of DT_FLAGS_1. */
  readonly flags1?: number;
  readonly versionNeeds?: readonly TinyVersionNeed[];
  readonly versionDefinitions?: readonly string[];
  /** More entries of PT_DYNAMIC, before its end. */
  readonly dynamicEntries?: readonly (readonly [tag: number, value: number])[];
  /** Whether there is a PT_DYNAMIC. Default: when anything is to say in it. */
  readonly dynamic?: boolean;
  readonly notes?: readonly TinyNote[];
  /** Behind all else, and loaded. */
  readonly data?: Uint8Array;
  /** Right behind the program headers. */
  readonly behindHeaders?: Uint8Array;
}

export interface TinyVersionNeed {
  readonly library: string;
  /** A `?` behind a name makes it weak. */
  readonly versions: readonly string[];
}

export interface TinyNote {
  readonly owner: string;
  readonly type: number;
  readonly content: Uint8Array;
}

export interface TinyPlatform {
  readonly machine: number;
  readonly class: 32 | 64;
  readonly endian: "little" | "big";
  readonly flags: number;
  /** glibc's. */
  readonly interpreter: string;
}

const platformOf = (
  machine: number,
  width: 32 | 64,
  endian: "little" | "big",
  flags: number,
  interpreter: string,
): TinyPlatform => ({ machine, class: width, endian, flags, interpreter });

/** As Debian's compilers make them. */
export const tinyPlatforms = {
  "linux/amd64": platformOf(62, 64, "little", 0, "/lib64/ld-linux-x86-64.so.2"),
  "linux/386": platformOf(3, 32, "little", 0, "/lib/ld-linux.so.2"),
  "linux/arm64": platformOf(183, 64, "little", 0, "/lib/ld-linux-aarch64.so.1"),
  "linux/arm/v7": platformOf(40, 32, "little", 0x05000400, "/lib/ld-linux-armhf.so.3"),
  "linux/ppc64le": platformOf(21, 64, "little", 2, "/lib64/ld64.so.2"),
  "linux/s390x": platformOf(22, 64, "big", 0, "/lib/ld64.so.1"),
  "linux/riscv64": platformOf(243, 64, "little", 5, "/lib/ld-linux-riscv64-lp64d.so.1"),
  "linux/mips64le": platformOf(8, 64, "little", 0x80000007, "/lib64/ld.so.1"),
  "linux/mips": platformOf(8, 32, "big", 0x70001007, "/lib/ld.so.1"),
  "linux/loong64": platformOf(258, 64, "little", 0x43, "/lib64/ld-linux-loongarch-lp64d.so.1"),
} as const;

const types = { rel: 1, exec: 2, dyn: 3, core: 4 } as const;
// mov eax, 60; xor edi, edi; syscall
const exitCode = Uint8Array.of(0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05);

interface Part {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  readonly align: number;
}

export function buildElf(wanted: TinyElf): Uint8Array {
  const platform = wanted.platform ?? tinyPlatforms["linux/amd64"];
  const isLibrary = wanted.soname !== undefined;
  const type = wanted.type ?? (wanted.pie === true || isLibrary ? "dyn" : "exec");
  const number = typeof type === "number" ? type : types[type];
  const base = number === types.exec ? 0x400000 : 0;
  const wide = platform.class === 64;
  const file = writer(platform);
  const hasDynamic = wanted.dynamic ?? saysSomething(wanted);
  const count =
    number === types.rel || number === types.core
      ? 0
      : 1 +
        (wanted.interpreter === undefined ? 0 : 2) +
        (hasDynamic ? 1 : 0) +
        (wanted.notes?.length ? 1 : 0);
  const [headerSize, segmentSize] = wide ? [64, 56] : [52, 32];
  file.skip(headerSize + count * segmentSize);
  if (wanted.behindHeaders !== undefined) file.bytes(wanted.behindHeaders);

  const parts: Part[] = [];
  const part = (kind: number, align: number, write: () => void): Part => {
    file.align(align);
    const offset = file.size();
    write();
    const made = { type: kind, offset, size: file.size() - offset, align };
    parts.push(made);
    return made;
  };
  if (wanted.interpreter !== undefined && count > 0) {
    const { interpreter } = wanted;
    parts.push({ type: 6, offset: headerSize, size: count * segmentSize, align: 8 });
    part(3, 1, () => file.bytes(typeof interpreter === "string" ? cString(interpreter) : interpreter));
  }
  const { notes } = wanted;
  if (notes !== undefined && notes.length > 0 && count > 0) {
    part(4, 4, () => notes.forEach((note) => writeNote(file, note)));
  }
  if (hasDynamic && count > 0) writeDynamic(wanted, file, part, base);
  file.align(8);
  const code = file.size();
  file.bytes(exitCode);
  file.align(8);
  if (wanted.data !== undefined) file.bytes(wanted.data);

  const entry = wanted.entry ?? (isLibrary || count === 0 ? 0 : base + code);
  const load: Part = { type: 1, offset: 0, size: file.size(), align: 0x1000 };
  writeHeader(file, {
    osAbi: wanted.osAbi ?? 0,
    type: number,
    flags: wanted.flags ?? platform.flags,
    entry,
    count,
    platform,
  });
  // PT_PHDR goes before the first PT_LOAD.
  const ordered = [
    ...parts.filter((p) => p.type === 6),
    ...(count > 0 ? [load] : []),
    ...parts.filter((p) => p.type !== 6),
  ];
  ordered.forEach((segment, n) => writeSegment(file, headerSize + n * segmentSize, segment, base, wide));
  return file.finish();
}

function saysSomething(wanted: TinyElf): boolean {
  const { needed, soname, rpath, runpath, pie, flags1, versionNeeds, versionDefinitions, dynamicEntries } =
    wanted;
  return [needed, soname, rpath, runpath, pie, flags1, versionNeeds, versionDefinitions, dynamicEntries].some(
    (value) => value !== undefined && value !== false,
  );
}

type Writer = ReturnType<typeof writer>;

function writer({ endian, class: width }: TinyPlatform) {
  let bytes = new Uint8Array(0);
  const isLittle = endian === "little";
  const put = (size: number, set: (view: DataView, at: number) => void, at = bytes.byteLength): void => {
    if (at + size > bytes.byteLength) {
      const longer = new Uint8Array(at + size);
      longer.set(bytes);
      bytes = longer;
    }
    set(new DataView(bytes.buffer), at);
  };
  const u32 = (value: number, at?: number): void => put(4, (v, p) => v.setUint32(p, value, isLittle), at);
  return {
    size: () => bytes.byteLength,
    skip: (size: number) => put(size, () => {}),
    align: (to: number) => put((to - (bytes.byteLength % to)) % to, () => {}),
    bytes: (value: Uint8Array, at?: number) => put(value.byteLength, (_, p) => bytes.set(value, p), at),
    u8: (value: number, at?: number) => put(1, (v, p) => v.setUint8(p, value), at),
    u16: (value: number, at?: number) => put(2, (v, p) => v.setUint16(p, value, isLittle), at),
    u32,
    word: (value: number, at?: number) => {
      if (width === 32) u32(value, at);
      else put(8, (v, p) => v.setBigUint64(p, BigInt(value), isLittle), at);
    },
    finish: () => bytes,
  };
}

function writeDynamic(
  wanted: TinyElf,
  file: Writer,
  part: (kind: number, align: number, write: () => void) => Part,
  base: number,
): void {
  const strings = stringTable();
  const entries: [tag: number, value: number][] = [];
  for (const name of wanted.needed ?? []) entries.push([1, strings.add(name)]);
  for (const name of wanted.auxiliaries ?? []) entries.push([0x7ffffffd, strings.add(name)]);
  for (const name of wanted.filters ?? []) entries.push([0x7fffffff, strings.add(name)]);
  for (const [tag, text] of [
    [14, wanted.soname],
    [15, wanted.rpath],
    [29, wanted.runpath],
  ] as const) {
    if (text !== undefined) entries.push([tag, strings.add(text)]);
  }
  const start = (): number => {
    file.align(8);
    return base + file.size();
  };
  if (wanted.versionNeeds !== undefined) {
    entries.push([0x6ffffffe, start()], [0x6fffffff, wanted.versionNeeds.length]);
    writeVersionNeeds(file, strings, wanted.versionNeeds);
  }
  if (wanted.versionDefinitions !== undefined) {
    entries.push([0x6ffffffc, start()], [0x6ffffffd, wanted.versionDefinitions.length + 1]);
    writeVersionDefinitions(file, strings, [wanted.soname ?? "base", ...wanted.versionDefinitions]);
  }
  // A symbol table of the null symbol, its versions and its hash table: loaders insist on them.
  entries.push([6, start()], [11, wanted.platform?.class === 32 ? 16 : 24]);
  file.skip(24);
  entries.push([0x6ffffff0, start()]);
  file.skip(8);
  entries.push([4, start()]);
  for (const value of [1, 1, 0, 0]) file.u32(value);
  entries.push([5, start()], [10, strings.size()]);
  file.bytes(strings.finish());
  const flags1 = (wanted.flags1 ?? 0) | (wanted.pie === true ? 0x8000000 : 0);
  if (flags1 !== 0) entries.push([0x6ffffffb, flags1]);
  part(2, 8, () => {
    for (const [tag, value] of [...entries, ...(wanted.dynamicEntries ?? []), [0, 0] as const]) {
      file.word(tag);
      file.word(value);
    }
  });
}

function writeVersionNeeds(file: Writer, strings: StringTable, needs: readonly TinyVersionNeed[]): void {
  needs.forEach(({ library, versions }, n) => {
    file.u16(1);
    file.u16(versions.length);
    file.u32(strings.add(library));
    file.u32(16);
    file.u32(n === needs.length - 1 ? 0 : 16 + 16 * versions.length);
    versions.forEach((version, index) => {
      const name = version.replace(/\?$/, "");
      file.u32(elfHash(name));
      file.u16(version.endsWith("?") ? 2 : 0);
      file.u16(index + 2);
      file.u32(strings.add(name));
      file.u32(index === versions.length - 1 ? 0 : 16);
    });
  });
}

function writeVersionDefinitions(file: Writer, strings: StringTable, names: readonly string[]): void {
  names.forEach((name, n) => {
    file.u16(1);
    file.u16(n === 0 ? 1 : 0);
    file.u16(n + 1);
    file.u16(1);
    file.u32(elfHash(name));
    file.u32(20);
    file.u32(n === names.length - 1 ? 0 : 28);
    file.u32(strings.add(name));
    file.u32(0);
  });
}

function writeNote(file: Writer, { owner, type, content }: TinyNote): void {
  const name = cString(owner);
  file.u32(name.byteLength);
  file.u32(content.byteLength);
  file.u32(type);
  file.bytes(name);
  file.align(4);
  file.bytes(content);
  file.align(4);
}

function writeHeader(
  file: Writer,
  header: {
    readonly osAbi: number;
    readonly type: number;
    readonly flags: number;
    readonly entry: number;
    readonly count: number;
    readonly platform: TinyPlatform;
  },
): void {
  const { platform, count } = header;
  const wide = platform.class === 64;
  const [size, segmentSize, word] = wide ? [64, 56, 8] : [52, 32, 4];
  const ident = [0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, platform.endian === "little" ? 1 : 2, 1, header.osAbi];
  file.bytes(Uint8Array.from(ident), 0);
  file.u16(header.type, 16);
  file.u16(platform.machine, 18);
  file.u32(1, 20);
  file.word(header.entry, 24);
  file.word(count === 0 ? 0 : size, 24 + word);
  file.u32(header.flags, 24 + 3 * word);
  const sizes = 28 + 3 * word;
  file.u16(size, sizes);
  file.u16(count === 0 ? 0 : segmentSize, sizes + 2);
  file.u16(count, sizes + 4);
}

function writeSegment(file: Writer, at: number, segment: Part, base: number, wide: boolean): void {
  const { type, offset, size, align } = segment;
  const flags = type === 1 ? 7 : 4;
  const words = [offset, base + offset, base + offset, size, size];
  file.u32(type, at);
  if (wide) file.u32(flags, at + 4);
  const [start, width] = wide ? [at + 8, 8] : [at + 4, 4];
  words.forEach((value, n) => file.word(value, start + n * width));
  if (!wide) file.u32(flags, at + 24);
  file.word(align, wide ? at + 48 : at + 28);
}

type StringTable = ReturnType<typeof stringTable>;

function stringTable() {
  let text = "\0";
  return {
    add(name: string): number {
      const known = text.indexOf(`\0${name}\0`);
      if (known !== -1) return known + 1;
      text += `${name}\0`;
      return Buffer.byteLength(text) - Buffer.byteLength(name) - 1;
    },
    size: () => Buffer.byteLength(text),
    finish: () => Buffer.from(text),
  };
}

/** gABI's hash of names; loaders compare it before the name. */
function elfHash(name: string): number {
  let hash = 0;
  for (const byte of Buffer.from(name)) {
    hash = ((hash << 4) + byte) >>> 0;
    const high = hash & 0xf0000000;
    hash = (hash ^ (high >>> 24)) & ~high;
  }
  return hash >>> 0;
}

function cString(text: string): Uint8Array {
  return Buffer.from(`${text}\0`);
}
