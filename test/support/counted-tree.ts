import { memoryTree, type MemoryFile, type SourceTree } from "@undocked/core";

/** A tree in memory that tells which of its files were opened. */
export interface CountedTree {
  readonly context: SourceTree;
  /** Their paths; to be cleared by who asks. */
  readonly read: Set<string>;
}

export function countedTree(files: Readonly<Record<string, MemoryFile>>): CountedTree {
  const tree = memoryTree(files);
  const read = new Set<string>();
  return {
    read,
    context: {
      ...tree,
      open(path: string) {
        const content = tree.open(path);
        return {
          ...content,
          openFile() {
            read.add(path);
            const file = content.openFile?.();
            if (file === undefined) throw new Error(`${path} cannot be opened`);
            return file;
          },
        };
      },
    },
  };
}
