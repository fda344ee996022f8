import { availableParallelism } from "node:os";
import { turns, type Turns } from "./turns.ts";

/**
 * What all builds of this process share, whatever their stages and platforms. Who has a turn waits for no other turn. A layer
 * has one file open at a time, so that layers bound files too; requests to one registry are its client's to limit.
 */
export interface Limits {
  /** Layers that are made at once. Each compresses several blocks at a time by itself, in some ten MB of memory. */
  readonly layers: Turns;
  /** Layers of bases that are read at once. */
  readonly downloads: Turns;
}

export const limits: Limits = {
  layers: turns(Math.max(2, Math.min(4, availableParallelism()))),
  downloads: turns(6),
};
