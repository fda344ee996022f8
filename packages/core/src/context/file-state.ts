import type { BigIntStats } from "node:fs";
import { nanosecondsOf, secondsOf, timeText } from "./file-time.ts";

type Stats = Pick<BigIntStats, "dev" | "ino" | "size" | "mtimeNs" | "ctimeNs">;

/** A name for the state of a file of the machine: another content has another, unless it came within a tick of the clock. */
export function fileState({ dev, ino, size, mtimeNs, ctimeNs }: Stats): string {
  // Joined, it is one text in memory; a template's stays in its parts.
  return ["stat", dev, ino, size, mtimeNs, ctimeNs].join(":");
}

/** What {@link fileState} names. Of numbers, since there may be a hundred thousand: their names would take more memory. */
export class FileState {
  /** Bytes. */
  readonly size: number;
  /** Whole seconds since 1970. */
  readonly mtime: number;
  readonly #mtimeRest: number;
  readonly #ctime: number;
  readonly #ctimeRest: number;
  readonly #device: number | bigint;
  readonly #inode: number | bigint;

  constructor({ dev, ino, size, mtimeNs, ctimeNs }: Stats) {
    this.size = Number(size);
    this.mtime = secondsOf(mtimeNs);
    this.#mtimeRest = nanosecondsOf(mtimeNs);
    this.#ctime = secondsOf(ctimeNs);
    this.#ctimeRest = nanosecondsOf(ctimeNs);
    this.#device = exactly(dev);
    this.#inode = exactly(ino);
  }

  /** As {@link fileState} gives it. */
  get name(): string {
    const modified = timeText(this.mtime, this.#mtimeRest);
    const changed = timeText(this.#ctime, this.#ctimeRest);
    return ["stat", this.#device, this.#inode, this.size, modified, changed].join(":");
  }

  /** What all names of the file have in common, and no other file has. */
  get file(): string {
    return `${this.#device}:${this.#inode}`;
  }

  isSame(other: FileState): boolean {
    return (
      this.seemsUnchanged(other) &&
      this.#device === other.#device &&
      this.#ctime === other.#ctime &&
      this.#ctimeRest === other.#ctimeRest
    );
  }

  /** Whether two states of a path are of one file with one size and time: what else differs says nothing of the content. */
  seemsUnchanged(other: FileState): boolean {
    return (
      this.#inode === other.#inode &&
      this.size === other.size &&
      this.mtime === other.mtime &&
      this.#mtimeRest === other.#mtimeRest
    );
  }
}

/** A number takes no memory of its own; of some file systems these are larger than one can tell. */
function exactly(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Longer than the tick of any file system's clock: FAT's is 2 seconds. */
const TICK_MS = 2000;

/** No clock that ticks at every change shows these alone. */
const ROUND_NS = 10_000_000n;

/**
 * Whether the content cannot be another one while the file's state is the same. Not of a file that was changed just now: it could
 * change again within the tick. Nor where the time of its last change is a round one: FAT, ISO 9660 and squashfs keep none, and
 * make it up from what anybody can set.
 */
export function isTold(
  { mtimeMs, ctimeMs, ctimeNs }: Pick<BigIntStats, "mtimeMs" | "ctimeMs" | "ctimeNs">,
  now: number = Date.now(),
): boolean {
  return Math.max(Number(mtimeMs), Number(ctimeMs)) + TICK_MS < now && ctimeNs % ROUND_NS !== 0n;
}
