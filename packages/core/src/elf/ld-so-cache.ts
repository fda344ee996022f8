/** A library that ldconfig found. */
export interface CacheEntry {
  /** As in DT_NEEDED. */
  readonly name: string;
  readonly path: string;
  /** For which processor's loader; see `cacheFlags`. */
  readonly flags: number;
  /** The subdirectory of `glibc-hwcaps` that it is in: `x86-64-v3`; `?` for the older kinds. */
  readonly hwcap?: string;
}

const oldMagic = "ld.so-1.7.0";
const magic = "glibc-ld.so.cache1.1";
const headerSize = 48;
const entrySize = 24;
const entryLimit = 65536;
const extensionMagic = 0xeaa42174;
const hwcapsTag = 1;

/**
 * Reads `/etc/ld.so.cache`, the only place where glibc's loader learns of the directories of ld.so.conf (glibc,
 * sysdeps/generic/dl-cache.h). `undefined`: it is no cache, and the loader would go on without it.
 */
export function parseLdSoCache(
  bytes: Uint8Array,
  endian: "little" | "big",
): readonly CacheEntry[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLittle = endian === "little";
  const u32 = (at: number): number | undefined =>
    at >= 0 && at + 4 <= view.byteLength ? view.getUint32(at, isLittle) : undefined;
  const text = (at: number): string | undefined => {
    const end = at >= bytes.byteLength ? -1 : bytes.indexOf(0, at);
    return end === -1 || end - at > 4096 ? undefined : Buffer.from(bytes.subarray(at, end)).toString();
  };

  const start = startOf(bytes, u32(12));
  const count = u32(start + 20);
  if (!beginsWith(bytes, magic, start) || count === undefined || count > entryLimit) return undefined;
  // 2 little, 3 big; older ldconfigs leave it 0.
  const order = view.byteLength > start + 28 ? view.getUint8(start + 28) & 3 : 0;
  if (order === (isLittle ? 3 : 2)) return undefined;
  const hwcaps = hwcapNames(u32, text, u32(start + 32) ?? 0);

  const entries: CacheEntry[] = [];
  for (let n = 0; n < count; n++) {
    const at = start + headerSize + n * entrySize;
    const [flags, key, value] = [u32(at), u32(at + 4), u32(at + 8)];
    const [low, high] = isLittle ? [u32(at + 16), u32(at + 20)] : [u32(at + 20), u32(at + 16)];
    if (flags === undefined || key === undefined || value === undefined || high === undefined)
      return undefined;
    const [name, path] = [text(start + key), text(start + value)];
    if (name === undefined || path === undefined) continue;
    const hwcap = hwcapOf(low ?? 0, high, hwcaps);
    entries.push({ name, path, flags, ...(hwcap === undefined ? {} : { hwcap }) });
  }
  return entries;
}

/** An old cache may stand before the one that counts. */
function startOf(bytes: Uint8Array, oldCount: number | undefined): number {
  if (!beginsWith(bytes, oldMagic, 0) || oldCount === undefined) return 0;
  return Math.ceil((16 + 12 * oldCount) / 8) * 8;
}

function beginsWith(bytes: Uint8Array, text: string, at: number): boolean {
  return Buffer.from(bytes.subarray(at, at + text.length)).toString("latin1") === text;
}

function hwcapNames(
  u32: (at: number) => number | undefined,
  text: (at: number) => string | undefined,
  at: number,
): readonly (string | undefined)[] {
  if (at === 0 || u32(at) !== extensionMagic) return [];
  const count = Math.min(u32(at + 4) ?? 0, 64);
  for (let n = 0; n < count; n++) {
    const section = at + 8 + n * 16;
    const [tag, offset, size] = [u32(section), u32(section + 8), u32(section + 12)];
    if (tag !== hwcapsTag || offset === undefined || size === undefined) continue;
    return Array.from({ length: Math.min(size / 4, 64) }, (_, index) => {
      const name = u32(offset + index * 4);
      return name === undefined ? undefined : text(name);
    });
  }
  return [];
}

function hwcapOf(low: number, high: number, names: readonly (string | undefined)[]): string | undefined {
  if (low === 0 && high === 0) return undefined;
  return (high & 0x40000000) === 0 ? "?" : (names[low] ?? "?");
}

/** The flags of the entries that a machine's loader takes (glibc, sysdeps/generic/ldconfig.h and each dl-cache.h). */
export function cacheFlags(
  architecture: string,
  options: { readonly softFloat: boolean },
): readonly number[] {
  if (architecture === "arm") return options.softFloat ? [0xb03, 0x3] : [0x903, 0x3];
  return flagsOf[architecture] ?? [];
}

const flagsOf: Readonly<Record<string, readonly number[]>> = {
  "386": [0x3],
  amd64: [0x303],
  arm64: [0xa03],
  loong64: [0x1203],
  mips: [0x3],
  mips64: [0x703],
  mips64le: [0x703],
  mipsle: [0x3],
  ppc64: [0x503],
  ppc64le: [0x503],
  riscv64: [0x1003],
  s390x: [0x403],
};
