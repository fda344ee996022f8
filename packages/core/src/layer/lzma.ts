/*
 * LZMA as LZMA2 has it (the .xz format's only compression): a range coder of 11-bit probabilities, literals in the context
 * of the byte before and the place, matches by length and distance, four last distances kept. It is ours because what
 * decodes it on npm gives nothing of what it decoded before a fault, one file at a time in a process, and knows no filters.
 */

const STATES = 12;
const POSITIONS = 16;
const HALF = 1024;

/** Where each group of probabilities begins. */
const IS_MATCH = 0;
const IS_REPEAT = IS_MATCH + STATES * POSITIONS;
const IS_NOT_LAST = IS_REPEAT + STATES;
const IS_NOT_SECOND = IS_NOT_LAST + STATES;
const IS_NOT_THIRD = IS_NOT_SECOND + STATES;
const IS_LONG_LAST = IS_NOT_THIRD + STATES;
const SLOTS = IS_LONG_LAST + STATES * POSITIONS;
const SPECIAL = SLOTS + 4 * 64;
const ALIGN = SPECIAL + 128;
const MATCH_LENGTH = ALIGN + 16;
const LENGTHS = 2 + 2 * POSITIONS * 8 + 256;
const REPEAT_LENGTH = MATCH_LENGTH + LENGTHS;
const LITERALS = REPEAT_LENGTH + LENGTHS;
const LITERAL = 0x300;

/** Bits of the literal's context and place in all; LZMA2's limit. */
const MOST_LITERAL_BITS = 4;

/** Bytes that a symbol takes from the input at most, and some more. */
const SLACK = 32;

/** What a chunk of LZMA2 holds, and what comes of it, at most. */
const MOST_INPUT = 64 * 1024;
const MOST_OUTPUT = 2 * 1024 * 1024;

const SMALLEST_WINDOW = 64 * 1024;

/** Decodes chunk after chunk into a window that holds what later ones refer to; it grows as they come. */
export class LzmaDecoder {
  /** How far a match may go back. */
  readonly #reach: number;
  #window: Uint8Array;
  /** Where the next byte goes. */
  #at = 0;
  /** Bytes of the window that a match may refer to. */
  #held = 0;
  /** Place of the next byte since the last reset, of which only the low bits count. */
  #place = 0;
  readonly #probabilities = new Uint16Array(LITERALS + (LITERAL << MOST_LITERAL_BITS));
  readonly #input = new Uint8Array(MOST_INPUT + SLACK);
  #next = 0;
  #end = 0;
  #range = 0;
  #code = 0;
  #state = 0;
  #last = 0;
  #second = 0;
  #third = 0;
  #fourth = 0;
  #contextBits = 0;
  #placeMask = 0;
  #positionMask = 0;
  #wentTooFar = false;

  /** @param reach - bytes that a match goes back at most */
  constructor(reach: number) {
    this.#reach = reach;
    this.#window = new Uint8Array(Math.min(SMALLEST_WINDOW, reach + MOST_OUTPUT));
  }

  /** Whether the fault is a match that goes back further than the window, to what there was. */
  get wentTooFar(): boolean {
    return this.#wentTooFar;
  }

  /** Forgets what came before. */
  resetWindow(): void {
    this.#held = 0;
    this.#place = 0;
  }

  /** @returns whether there can be such */
  setProperties(byte: number): boolean {
    const context = byte % 9;
    const place = Math.floor(byte / 9) % 5;
    const position = Math.floor(byte / 45);
    if (position > 4 || context + place > MOST_LITERAL_BITS) return false;
    this.#contextBits = context;
    this.#placeMask = (1 << place) - 1;
    this.#positionMask = (1 << position) - 1;
    return true;
  }

  resetState(): void {
    this.#probabilities.fill(HALF);
    this.#state = 0;
    this.#last = this.#second = this.#third = this.#fourth = 0;
  }

  /** Takes bytes that are not compressed. */
  *store(bytes: Uint8Array): Generator<Uint8Array, void, void> {
    this.#makeRoom(bytes.byteLength);
    for (let done = 0; done < bytes.byteLength;) {
      const part = bytes.subarray(done, done + this.#window.byteLength - this.#at);
      this.#window.set(part, this.#at);
      this.#advance(part.byteLength);
      done += part.byteLength;
    }
    yield bytes;
  }

  /**
   * Gives what comes of a chunk, also before a fault.
   *
   * @param bytes - compressed; fewer than there should be where the content is cut off
   * @param size - bytes that come of it
   * @returns whether it was sound
   */
  *decode(bytes: Uint8Array, size: number): Generator<Uint8Array, boolean, void> {
    this.#makeRoom(size);
    this.#input.set(bytes);
    this.#input.fill(0, bytes.byteLength, bytes.byteLength + SLACK);
    this.#end = bytes.byteLength;
    this.#next = 5;
    if (this.#end < 5 || bytes[0] !== 0) return false;
    this.#range = -1;
    this.#code = Buffer.from(bytes.buffer, bytes.byteOffset).readInt32BE(1);
    const from = this.#at;
    const made = this.#run(size);
    yield* this.#since(from, made);
    if (made < size) return false;
    this.#normalize();
    return this.#code === 0 && this.#next === this.#end;
  }

  /** A window is not wrapped around before it is as large as it may be. */
  #makeRoom(size: number): void {
    const full = this.#reach + MOST_OUTPUT;
    const needed = this.#at + size + 1;
    if (needed <= this.#window.byteLength || this.#window.byteLength === full) return;
    const grown = new Uint8Array(Math.min(full, Math.max(2 * this.#window.byteLength, needed)));
    grown.set(this.#window.subarray(0, this.#at));
    this.#window = grown;
  }

  #advance(length: number): void {
    this.#at += length;
    if (this.#at === this.#window.byteLength) this.#at = 0;
    this.#place += length;
    this.#held = Math.min(this.#held + length, this.#reach);
  }

  /** Copies, as the window is written over. */
  *#since(from: number, length: number): Generator<Uint8Array, void, void> {
    const first = Math.min(length, this.#window.byteLength - from);
    if (first > 0) yield this.#window.slice(from, from + first);
    if (first < length) yield this.#window.slice(0, length - first);
  }

  /** Writes up to `size` bytes into the window; fewer where the chunk has a fault. Gives how many. */
  #run(size: number): number {
    let made = 0;
    while (made < size) {
      const position = this.#place & this.#positionMask;
      const at = IS_MATCH + this.#state * POSITIONS + position;
      if (this.#bit(at) === 0) {
        const byte = this.#literal();
        if (this.#next > this.#end) return made;
        this.#window[this.#at] = byte;
        this.#advance(1);
        made += 1;
        continue;
      }
      const length =
        this.#bit(IS_REPEAT + this.#state) === 0 ? this.#match(position) : this.#repeat(position);
      const distance = this.#last;
      if (this.#next > this.#end || distance < 0 || length > size - made) return made;
      if (distance >= this.#held) {
        this.#wentTooFar = distance >= this.#reach && distance < this.#place;
        return made;
      }
      this.#copy(distance + 1, length);
      made += length;
    }
    return made;
  }

  #literal(): number {
    const window = this.#window;
    const before = this.#held === 0 ? 0 : (window[(this.#at === 0 ? window.byteLength : this.#at) - 1] ?? 0);
    const context =
      ((this.#place & this.#placeMask) << this.#contextBits) + (before >> (8 - this.#contextBits));
    const base = LITERALS + LITERAL * context;
    // Behind a match the byte is hardly the one that would have made it longer.
    const isAfterMatch = this.#state >= 7;
    const symbol = this.#bits(
      base,
      isAfterMatch ? 0x100 : 0,
      isAfterMatch ? this.#byteBack(this.#last + 1) : 0,
    );
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
    return symbol & 0xff;
  }

  #byteBack(distance: number): number {
    const at = this.#at - distance;
    return this.#window[at < 0 ? at + this.#window.byteLength : at] ?? 0;
  }

  /** The length of a match at a distance that is told. */
  #match(position: number): number {
    this.#fourth = this.#third;
    this.#third = this.#second;
    this.#second = this.#last;
    this.#state = this.#state < 7 ? 7 : 10;
    const length = this.#length(MATCH_LENGTH, position);
    const slot = this.#tree(SLOTS + Math.min(length - 2, 3) * 64, 6);
    if (slot < 4) {
      this.#last = slot;
      return length;
    }
    const bits = (slot >> 1) - 1;
    const high = (2 | (slot & 1)) << bits;
    this.#last =
      slot < 14
        ? high + this.#reverseTree(SPECIAL + high - slot, bits)
        : high + (this.#direct(bits - 4) << 4) + this.#reverseTree(ALIGN, 4);
    return length;
  }

  /** The length of a match at one of the last distances, which becomes the last. */
  #repeat(position: number): number {
    const state = this.#state;
    if (this.#bit(IS_NOT_LAST + state) === 0) {
      if (this.#bit(IS_LONG_LAST + state * POSITIONS + position) === 0) {
        this.#state = state < 7 ? 9 : 11;
        return 1;
      }
    } else {
      let distance = this.#second;
      if (this.#bit(IS_NOT_SECOND + state) === 1) {
        distance = this.#third;
        if (this.#bit(IS_NOT_THIRD + state) === 1) {
          distance = this.#fourth;
          this.#fourth = this.#third;
        }
        this.#third = this.#second;
      }
      this.#second = this.#last;
      this.#last = distance;
    }
    this.#state = state < 7 ? 8 : 11;
    return this.#length(REPEAT_LENGTH, position);
  }

  #length(base: number, position: number): number {
    if (this.#bit(base) === 0) return 2 + this.#tree(base + 2 + position * 8, 3);
    if (this.#bit(base + 1) === 0) return 10 + this.#tree(base + 2 + (POSITIONS + position) * 8, 3);
    return 18 + this.#tree(base + 2 + 2 * POSITIONS * 8, 8);
  }

  #tree(base: number, bits: number): number {
    let symbol = 1;
    for (let count = bits; count > 0; count--) symbol = (symbol << 1) | this.#bit(base + symbol);
    return symbol - (1 << bits);
  }

  /**
   * The eight bits of a literal, the highest first: a tree like others where `offset` is 0, else one of three, by the bits
   * of the byte that is not expected, as long as they agree. Written out, as most of the time goes here.
   */
  #bits(base: number, from: number, expected: number): number {
    const probabilities = this.#probabilities;
    const input = this.#input;
    let range = this.#range;
    let code = this.#code;
    let next = this.#next;
    let symbol = 1;
    let offset = from;
    for (let shifted = expected << 1; symbol < 0x100; shifted <<= 1) {
      if (range >>> 24 === 0) {
        range <<= 8;
        code = (code << 8) | (input[next++] ?? 0);
      }
      const side = shifted & offset;
      const at = base + offset + side + symbol;
      const probability = probabilities[at] ?? 0;
      const bound = Math.imul(range >>> 11, probability);
      if (code >>> 0 < bound >>> 0) {
        range = bound;
        probabilities[at] = probability + ((2048 - probability) >> 5);
        symbol <<= 1;
        offset &= ~side;
      } else {
        range = (range - bound) | 0;
        code = (code - bound) | 0;
        probabilities[at] = probability - (probability >> 5);
        symbol = (symbol << 1) | 1;
        offset &= side;
      }
    }
    this.#range = range;
    this.#code = code;
    this.#next = next;
    return symbol;
  }

  /** The lowest bit first. */
  #reverseTree(base: number, bits: number): number {
    let symbol = 1;
    let value = 0;
    for (let count = 0; count < bits; count++) {
      const bit = this.#bit(base + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << count;
    }
    return value;
  }

  /** Bits that are as likely as not. */
  #direct(bits: number): number {
    let value = 0;
    for (let count = bits; count > 0; count--) {
      this.#normalize();
      this.#range >>>= 1;
      const isOne = this.#code >>> 0 >= this.#range;
      if (isOne) this.#code = (this.#code - this.#range) | 0;
      value = (value << 1) | (isOne ? 1 : 0);
    }
    return value;
  }

  #bit(at: number): number {
    this.#normalize();
    const probability = this.#probabilities[at] ?? 0;
    const bound = Math.imul(this.#range >>> 11, probability);
    if (this.#code >>> 0 < bound >>> 0) {
      this.#range = bound;
      this.#probabilities[at] = probability + ((2048 - probability) >> 5);
      return 0;
    }
    this.#range = (this.#range - bound) | 0;
    this.#code = (this.#code - bound) | 0;
    this.#probabilities[at] = probability - (probability >> 5);
    return 1;
  }

  /** Range and code are 32 bits without a sign, held in numbers with one, which are quicker. */
  #normalize(): void {
    if (this.#range >>> 24 !== 0) return;
    this.#range <<= 8;
    this.#code = (this.#code << 8) | (this.#input[this.#next] ?? 0);
    this.#next += 1;
  }

  #copy(distance: number, length: number): void {
    const window = this.#window;
    let to = this.#at;
    let from = to - distance;
    if (from < 0) from += window.byteLength;
    if (Math.max(from, to) + length < window.byteLength) {
      for (const end = to + length; to < end;) window[to++] = window[from++] ?? 0;
    } else {
      for (let left = length; left > 0; left--) {
        window[to++] = window[from++] ?? 0;
        if (to === window.byteLength) to = 0;
        if (from === window.byteLength) from = 0;
      }
    }
    this.#at = to;
    this.#place += length;
    this.#held = Math.min(this.#held + length, this.#reach);
  }
}
