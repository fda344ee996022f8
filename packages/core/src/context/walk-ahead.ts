import { setImmediate } from "node:timers/promises";
import { UndockedError } from "@undocked/registry";
import { walkTree, type SourceTree } from "./source-tree.ts";

/** After so many paths other work of the process gets its turn. */
const SLICE = 500;

/**
 * Looks at all below a path that may be asked for next, so that a tree which remembers has its answers ready. What is wrong there
 * is told to whoever asks.
 */
export async function walkAhead(tree: SourceTree, path: string): Promise<void> {
  let looked = 0;
  try {
    for (const _ of walkTree(tree, path)) if ((looked += 1) % SLICE === 0) await setImmediate();
  } catch (error) {
    if (!(error instanceof UndockedError)) throw error;
  }
}
