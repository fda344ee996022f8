import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { filteredTree } from "../context/filtered-tree.ts";
import { memoryTree, type MemoryFile } from "../context/memory-tree.ts";
import { walkTree } from "../context/source-tree.ts";
import { ignoreMatcher, parseIgnoreFile } from "../dockerfile/ignore.ts";
import { pathMatcher } from "../dockerfile/path-match.ts";
import { copy } from "./copy.ts";
import { emptyRootFs } from "./rootfs.ts";

/* Which files of a tree reach the image past a .dockerignore, as recorded from BuildKit. */

interface TreeFile {
  readonly path: string;
  readonly type?: "dir" | "symlink";
  readonly content?: string;
  readonly linkTarget?: string;
}

const corpus = JSON.parse(
  readFileSync(
    new URL("../../../../test/corpus/dockerfile/dockerignore-trees.json", import.meta.url),
    "utf8",
  ),
) as {
  readonly trees: Readonly<Record<string, readonly TreeFile[]>>;
  readonly cases: readonly {
    readonly tree: string;
    readonly dockerignore: string;
    readonly copy: string;
    readonly files?: readonly string[];
    readonly error?: string;
  }[];
};

function fileOf({ type, content, linkTarget }: TreeFile): MemoryFile {
  if (type === "dir") return { kind: "directory" };
  return linkTarget === undefined ? (content ?? "") : { kind: "symlink", linkTarget };
}

describe(`BuildKit's results, ${corpus.cases.length} cases`, () => {
  for (const { tree, dockerignore, copy: line, files, error } of corpus.cases) {
    test(`${line} of ${tree} past ${JSON.stringify(dockerignore)}`, () => {
      const entries = (corpus.trees[tree] ?? []).map((file) => [file.path, fileOf(file)] as const);
      const context = memoryTree({ ...Object.fromEntries(entries), ".dockerignore": dockerignore });
      const patterns = parseIgnoreFile(dockerignore);
      const source = filteredTree(context, {
        ignores: (path) => ignoreMatcher(patterns).ignores(path),
        reincludes: patterns.some((pattern) => pattern.startsWith("!")),
      });
      const [, ...words] = line.split(" ");
      const destination = words.pop() ?? "";
      const root = emptyRootFs();
      const built = (): unknown =>
        copy(root, {
          sources: words.map((path) => ({ kind: "path", tree: source, path })),
          destination,
          match: (pattern, name) => pathMatcher(pattern)(name),
          now: 0,
        });
      if (error !== undefined) {
        expect(built).toThrow(/".*": not found/.exec(error)?.[0] ?? "not found");
        return;
      }
      built();
      const seen = [...walkTree(root, "/")].map(({ path, node }) =>
        node.kind === "directory" ? `${path}/` : path,
      );
      const expected = (files ?? []).filter((path) => path !== "/d/");
      expect(seen.filter((path) => path !== "/d/").sort()).toEqual([...expected].sort());
    });
  }
});
