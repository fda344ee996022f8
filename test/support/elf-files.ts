import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { looksLikeElf } from "@undocked/core/elf";

const everything = process.env["UNDOCKED_ELF_ORACLE"] === "all";

/** Paths of the ELF files below a directory, in the order of their names. */
export function* elfFilesBelow(directory: string): Generator<string, void, void> {
  const entries = readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* elfFilesBelow(path);
    else if (entry.isFile() && beginsAsElf(path)) yield path;
  }
}

/** As many of the paths, evenly spread; all of them with `UNDOCKED_ELF_ORACLE=all`. */
export function sampleOf(paths: readonly string[], count: number): readonly string[] {
  if (everything) return paths;
  const step = Math.max(1, paths.length / count);
  return Array.from({ length: Math.min(paths.length, count) }, (_, n) => paths[Math.floor(n * step)] ?? "");
}

function beginsAsElf(path: string): boolean {
  const head = new Uint8Array(4);
  const file = openSync(path, "r");
  try {
    readSync(file, head, 0, 4, 0);
    return looksLikeElf(head);
  } finally {
    closeSync(file);
  }
}
