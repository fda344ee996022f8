/** Blocks of one size that are used again and again: fresh memory costs more than what is done with it. */
export interface BlockPool {
  /** A block with anything in it. */
  take(): Buffer;
  /** Takes back what {@link take} gave, or a part of it that begins where the block does; others are let go. */
  give(block: Uint8Array): void;
}

export function blockPool(size: number): BlockPool {
  const free: Buffer[] = [];
  return {
    take: () => free.pop() ?? Buffer.allocUnsafeSlow(size),
    give({ buffer }) {
      if (buffer.byteLength === size) free.push(Buffer.from(buffer));
    },
  };
}

/** Fills blocks one after the other. */
export interface BlockFiller {
  /** Free room in the block under way: at least one byte, at most `most`. */
  room(most: number): Uint8Array;
  /** Says that so many bytes of the room are filled. */
  fill(length: number): void;
  put(bytes: Uint8Array): void;
  zeros(length: number): void;
  /** A block that is full, to be fetched in order; `undefined`: there is none. */
  full(): Uint8Array | undefined;
  /** What is left over in the end. */
  rest(): Uint8Array | undefined;
}

export function blockFiller(pool: BlockPool): BlockFiller {
  const done: Uint8Array[] = [];
  let block: Buffer | undefined;
  let filled = 0;

  function room(most: number): Buffer {
    block ??= pool.take();
    return block.subarray(filled, Math.min(block.byteLength, filled + most));
  }

  function fill(length: number): void {
    filled += length;
    if (block === undefined || filled < block.byteLength) return;
    done.push(block);
    block = undefined;
    filled = 0;
  }

  return {
    room,
    fill,
    put(bytes) {
      for (let at = 0; at < bytes.byteLength;) {
        const space = room(bytes.byteLength - at);
        space.set(bytes.subarray(at, at + space.byteLength));
        fill(space.byteLength);
        at += space.byteLength;
      }
    },
    zeros(length) {
      for (let left = length; left > 0;) {
        const space = room(left).fill(0);
        fill(space.byteLength);
        left -= space.byteLength;
      }
    },
    full: () => done.shift(),
    rest: () => (filled === 0 ? undefined : block?.subarray(0, filled)),
  };
}
