/*
 * What xz can do to content before it compresses it, undone. Branch filters have made the relative targets of jumps and
 * calls absolute, so that equal targets are equal bytes; each knows the instructions of one machine. The delta filter has
 * taken from each byte the one some bytes before it.
 */

/** Undoes a filter on what comes; bytes that are not enough for an instruction wait for more. */
export interface Filter {
  undo(bytes: Uint8Array): Uint8Array;
  /** What waits at the end stays as it is. */
  rest(): Uint8Array;
}

/** `undefined` for a filter that does not exist, or not with these properties. */
export function xzFilter(id: number, properties: Uint8Array): Filter | undefined {
  if (id === 3) return properties.byteLength === 1 ? delta((properties[0] ?? 0) + 1) : undefined;
  const branch = BRANCHES.get(id);
  if (branch === undefined || ![0, 4].includes(properties.byteLength)) return undefined;
  const start = properties.byteLength === 0 ? 0 : Buffer.from(properties).readUInt32LE(0);
  return start % branch.align === 0 ? branchFilter(branch.make(), start) : undefined;
}

function delta(distance: number): Filter {
  const before = new Uint8Array(distance);
  let at = 0;
  return {
    undo(bytes) {
      const undone = Uint8Array.from(bytes, (byte) => {
        const sum = (byte + (before[at] ?? 0)) & 0xff;
        before[at] = sum;
        at = at + 1 === distance ? 0 : at + 1;
        return sum;
      });
      return undone;
    },
    rest: () => new Uint8Array(0),
  };
}

/**
 * Undoes the filter in place.
 *
 * @param place - of the first byte in the content, modulo 2^32
 * @returns how many bytes are done; the others need what follows
 */
type Undo = (bytes: Buffer, place: number) => number;

function branchFilter(undo: Undo, start: number): Filter {
  let waiting: Uint8Array = new Uint8Array(0);
  let place = start;
  return {
    undo(bytes) {
      const all = Buffer.concat([waiting, bytes]);
      const done = undo(all, place);
      place = (place + done) >>> 0;
      waiting = all.subarray(done);
      return all.subarray(0, done);
    },
    rest: () => waiting,
  };
}

/** By the format's numbers; what they begin at is a multiple of `align`. */
const BRANCHES: ReadonlyMap<number, { readonly align: number; readonly make: () => Undo }> = new Map([
  [4, { align: 1, make: x86 }],
  [5, { align: 4, make: () => powerPc }],
  [6, { align: 16, make: () => ia64 }],
  [7, { align: 4, make: () => arm }],
  [8, { align: 2, make: () => armThumb }],
  [9, { align: 4, make: () => sparc }],
  [10, { align: 4, make: () => arm64 }],
  [11, { align: 2, make: () => riscV }],
]);

/** Instructions of one length. */
function each(bytes: Buffer, length: number, undo: (at: number) => void): number {
  let at = 0;
  for (; at + length <= bytes.byteLength; at += length) undo(at);
  return at;
}

function powerPc(bytes: Buffer, place: number): number {
  return each(bytes, 4, (at) => {
    const instruction = bytes.readInt32BE(at);
    // bl: 18 in the upper six bits, not absolute, with a link.
    if (instruction >>> 26 !== 0x12 || (instruction & 3) !== 1) return;
    const target = (instruction & 0x03fffffc) - (place + at);
    bytes.writeInt32BE(0x48000001 | (target & 0x03fffffc), at);
  });
}

function arm(bytes: Buffer, place: number): number {
  return each(bytes, 4, (at) => {
    // bl, always
    if (bytes[at + 3] !== 0xeb) return;
    bytes.writeUIntLE((bytes.readUIntLE(at, 3) - ((place + at + 8) >>> 2)) & 0xffffff, at, 3);
  });
}

/** bl is two halves of an instruction, with 11 bits of the target each. */
function armThumb(bytes: Buffer, place: number): number {
  let at = 0;
  for (; at + 4 <= bytes.byteLength; at += 2) {
    const first = bytes.readUInt16LE(at);
    const second = bytes.readUInt16LE(at + 2);
    if (first >>> 11 !== 0x1e || second >>> 11 !== 0x1f) continue;
    const target = (((first & 0x7ff) << 11) | (second & 0x7ff)) - ((place + at + 4) >>> 1);
    bytes.writeUInt16LE(0xf000 | ((target >>> 11) & 0x7ff), at);
    bytes.writeUInt16LE(0xf800 | (target & 0x7ff), at + 2);
    at += 2;
  }
  return at;
}

function sparc(bytes: Buffer, place: number): number {
  return each(bytes, 4, (at) => {
    const instruction = bytes.readInt32BE(at);
    // call, with a target whose upper bits are all the same
    const upper = instruction >>> 22;
    if (upper !== 0x100 && upper !== 0x1ff) return;
    const target = instruction - ((place + at) >>> 2);
    const sign = (target & 0x400000) === 0 ? 0 : 0x3fc00000;
    bytes.writeInt32BE(0x40000000 | sign | (target & 0x3fffff), at);
  });
}

function arm64(bytes: Buffer, place: number): number {
  return each(bytes, 4, (at) => {
    const instruction = bytes.readInt32LE(at);
    const here = (place + at) >>> 0;
    if (instruction >>> 26 === 0x25) {
      // bl
      bytes.writeInt32LE(0x94000000 | ((instruction - (here >>> 2)) & 0x03ffffff), at);
    } else if (((instruction & 0x9f000000) | 0) === (0x90000000 | 0)) {
      // adrp, up to 512 MiB away
      const page = ((instruction >>> 29) & 3) | ((instruction >>> 3) & 0x1ffffc);
      if (((page + 0x20000) & 0x1c0000) !== 0) return;
      const target = page - (here >>> 12);
      const sign = (target & 0x20000) === 0 ? 0 : 0xe00000;
      const parts = ((target & 3) << 29) | ((target & 0x3fffc) << 3) | sign;
      bytes.writeInt32LE((instruction & 0x9000001f) | parts, at);
    }
  });
}

/** Which of a bundle's three instructions can be branches, by its template: a bit each. */
const BRANCH_SLOTS = [4, 4, 6, 6, 0, 0, 7, 7, 4, 4, 0, 0, 4, 4, 0, 0];

/** Bundles of 128 bits: a template of 5 and three instructions of 41. */
function ia64(bytes: Buffer, place: number): number {
  return each(bytes, 16, (at) => {
    const slots = BRANCH_SLOTS[((bytes[at] ?? 0) & 0x1f) - 16] ?? 0;
    for (let slot = 0; slot < 3; slot++) {
      if (((slots >> slot) & 1) === 0) continue;
      const bit = 5 + 41 * slot;
      const from = at + (bit >> 3);
      const shift = BigInt(bit & 7);
      const whole = BigInt(bytes.readUIntLE(from, 6));
      const instruction = whole >> shift;
      // br.call and its like: 5 in the upper bits, and a type of 0
      if (((instruction >> 37n) & 0xfn) !== 5n || ((instruction >> 9n) & 7n) !== 0n) continue;
      const written = Number((instruction >> 13n) & 0xfffffn) | (Number((instruction >> 36n) & 1n) << 20);
      const target = (written - ((place + at) >>> 4)) & 0x1fffff;
      const parts = (BigInt(target & 0xfffff) << 13n) | (BigInt(target >> 20) << 36n);
      const undone = (instruction & ~(0x8fffffn << 13n)) | parts;
      const below = whole & ((1n << shift) - 1n);
      bytes.writeUIntLE(Number(((undone << shift) | below) & 0xffffffffffffn), from, 6);
    }
  });
}

/** jal, and pairs of auipc with an instruction that adds to its register. */
function riscV(bytes: Buffer, place: number): number {
  let at = 0;
  while (at + 8 <= bytes.byteLength) at += riscVInstruction(bytes, at, (place + at) >>> 0);
  return at;
}

/** How far the next one is away. */
function riscVInstruction(bytes: Buffer, at: number, here: number): number {
  const first = bytes.readInt32LE(at);
  if ((first & 0xff) === 0xef) {
    // With a link to x1 or x5 only. The target's 20 bits are written from the highest to the lowest.
    if ((first & 0xd00) !== 0) return 2;
    const upper = bytes[at + 1] ?? 0;
    const target = (((upper & 0xf0) << 13) | (bytes.readUInt16BE(at + 2) << 1)) - here;
    bytes[at + 1] = (upper & 0x0f) | ((target >>> 8) & 0xf0);
    bytes[at + 2] = ((target >>> 16) & 0x0f) | ((target >>> 7) & 0x10) | ((target << 4) & 0xe0);
    bytes[at + 3] = ((target >>> 4) & 0x7f) | ((target >>> 13) & 0x80);
    return 4;
  }
  if ((first & 0x7f) !== 0x17) return 2;
  if ((first & 0xe80) !== 0) {
    // What only looks like what the filter writes has been changed, too.
    const second = bytes.readInt32LE(at + 4);
    if ((((first << 8) ^ (second - 3)) & 0xf8003) !== 0) return 6;
    bytes.writeInt32LE(0x117 | (second << 12), at);
    bytes.writeInt32LE(((first & 0xfffff000) + (second >>> 20)) | 0, at + 4);
    return 8;
  }
  // A pair: the register of auipc is 2, and above it stand 20 bits of the second instruction; its place has the target.
  const register = first >>> 27;
  if (((first - 0x3117) << 18) >>> 0 >= (register & 0x1d)) return 4;
  const target = (bytes.readInt32BE(at + 4) - here) | 0;
  bytes.writeInt32LE((first >>> 12) | (target << 20), at + 4);
  bytes.writeInt32LE(0x17 | (register << 7) | ((target + 0x800) & 0xfffff000), at);
  return 8;
}

/**
 * call and jmp: e8 or e9 and four bytes, whose highest is 00 or ff. As such bytes stand elsewhere, too, what the four bytes
 * before may be decides whether the filter has taken it for one; the mask remembers them.
 */
function x86(): Undo {
  let mask = 0;
  let last = -5 >>> 0;
  return (bytes, place) => {
    if (bytes.byteLength < 5) return 0;
    if ((place - last) >>> 0 > 5) last = (place - 5) >>> 0;
    let at = 0;
    while (at + 5 <= bytes.byteLength) {
      if (((bytes[at] ?? 0) & 0xfe) !== 0xe8) {
        at += 1;
        continue;
      }
      const here = (place + at) >>> 0;
      const away = (here - last) >>> 0;
      last = here;
      if (away > 5) mask = 0;
      else for (let count = away; count > 0; count--) mask = (mask & 0x77) << 1;
      const upper = bytes[at + 4] ?? 0;
      if (!isSign(upper) || !MASKS.has(mask >> 1)) {
        mask |= isSign(upper) ? 0x11 : 1;
        at += 1;
        continue;
      }
      const target = x86Target(bytes.readInt32LE(at + 1), here + 5, mask);
      bytes.writeInt32LE((target & 0xffffff) | ((target & 0x1000000) === 0 ? 0 : 0xff000000), at + 1);
      at += 5;
      mask = 0;
    }
    return at;
  };
}

/** By what a mask can be for a call: from which bit on the byte before it lies in this one's target, seen from the top. */
const MASKS: ReadonlyMap<number, number> = new Map([
  [0, 0],
  [1, 8],
  [2, 16],
  [4, 24],
]);

function isSign(byte: number): boolean {
  return byte === 0 || byte === 0xff;
}

function x86Target(written: number, behind: number, mask: number): number {
  const target = (written - behind) | 0;
  const bits = MASKS.get(mask >> 1) ?? 0;
  if (mask === 0 || !isSign((target >>> (24 - bits)) & 0xff)) return target;
  return ((target ^ (2 ** (32 - bits) - 1)) - behind) | 0;
}
