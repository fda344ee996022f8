import { ignoreMatcher, parseIgnoreFile } from "@undocked/core/dockerfile";
import { expect, test } from "vitest";
import { readCorpus } from "./support/corpus.ts";

interface Entry {
  readonly path: string;
  readonly type?: string;
}

interface Corpus {
  readonly trees: Readonly<Record<string, readonly Entry[]>>;
  readonly cases: readonly {
    readonly tree: string;
    readonly dockerignore: string;
    readonly copy: string;
    readonly files?: readonly string[];
  }[];
}

const { trees, cases } = readCorpus<Corpus>("dockerfile/dockerignore-trees.json");

/** Where the context is copied as it is, what arrives is what the matcher lets through. */
const whole = cases.filter(({ copy, files }) => copy === "COPY . /d/" && files !== undefined);
console.log(`dockerignore-trees.json: ${cases.length} cases; ${whole.length} that copy the whole context`);

test.each(whole)("$tree with $dockerignore", ({ tree, dockerignore, files = [] }) => {
  const matcher = ignoreMatcher(parseIgnoreFile(dockerignore));
  const directories = new Set<string>();
  const leaves = new Set([".dockerignore"]);
  for (const { path, type } of trees[tree] ?? []) {
    (type === "dir" ? directories : leaves).add(path);
    for (const parent of parentsOf(path)) directories.add(parent);
  }
  directories.delete("");
  const included = new Set<string>();
  const walk = (directory: string) => {
    for (const path of [...directories, ...leaves].filter((each) => parentsOf(each)[0] === directory)) {
      const isIgnored = matcher.ignores(path);
      if (!isIgnored) for (const each of [path, ...parentsOf(path)]) included.add(each);
      // A directory is not looked into where the matcher says that nothing in it can be.
      if (directories.has(path) && (!isIgnored || matcher.mayContainIncluded(path))) walk(path);
    }
  };
  walk("");
  included.delete("");
  const shown = [...included].map((path) => `/d/${path}${directories.has(path) ? "/" : ""}`);
  expect(shown.sort()).toEqual(files.toSorted());
});

/** The nearest first, and last the root, `""`. */
function parentsOf(path: string): string[] {
  const parts = path.split("/");
  return parts.map((_, index) => parts.slice(0, parts.length - 1 - index).join("/"));
}
