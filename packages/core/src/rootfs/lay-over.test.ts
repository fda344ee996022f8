import { describe, expect, test } from "vitest";
import { memoryTree, type MemoryFile } from "../context/memory-tree.ts";
import { walkTree, type SourceNode } from "../context/source-tree.ts";
import type { Entry } from "../layer/entry.ts";
import { copy, planCopy } from "./copy.ts";
import type { CopyStep } from "./copy-step.ts";
import { layOver } from "./lay-over.ts";
import { emptyRootFs, type RootFs } from "./rootfs.ts";

const NOW = 1234;
const directory: SourceNode = { kind: "directory", mode: 0o750, uid: 5, gid: 6, mtime: 77, size: 0 };

function rootOf(files: Files): RootFs {
  const root = emptyRootFs();
  const tree = memoryTree(files);
  for (const { path, node } of walkTree(tree, "/")) {
    if (node.kind === "file") root.put(path, node, tree.open(path));
    else root.put(path, node);
  }
  return root;
}

type Files = Readonly<Record<string, MemoryFile>>;

function stepOf(files: Files | readonly Files[], destination: string): CopyStep {
  const trees: readonly Files[] = Array.isArray(files) ? files : [files];
  const sources = trees.map((each) => ({ kind: "path", tree: memoryTree(each), path: "/" }) as const);
  return { sources, destination, match: () => false, now: NOW };
}

const project = { "src/a": "a", "src/b/c": "c", d: { content: "d", mode: 0o755 } };

describe("lays a planned COPY", () => {
  test("over a root that has nothing there, and gives the very list", () => {
    const plan = planCopy(stepOf(project, "/app/"));
    const root = rootOf({ "/etc/passwd": "root" });
    expect(layOver(root, plan)).toBe(plan.entries);
    expect(root.list("/app")).toEqual(["d", "src"]);
    expect(root.lstat("/app/src/b/c")).toMatchObject({ kind: "file", size: 1 });
  });

  test("into a directory that is there, which stays as it is", () => {
    const plan = planCopy(stepOf(project, "/usr/src/app/"));
    const root = rootOf({ "/usr": directory, "/usr/src": directory, "/usr/bin/sh": "sh" });
    const laid = layOver(root, plan);
    expect(laid).not.toBe(plan.entries);
    expect(laid?.slice(0, 3)).toMatchObject([
      { path: "usr", mode: 0o750, uid: 5, gid: 6, mtime: 77 },
      { path: "usr/src", mode: 0o750, uid: 5, gid: 6, mtime: 77 },
      { path: "usr/src/app", mode: 0o755, uid: 0, gid: 0, mtime: NOW },
    ]);
    expect(root.lstat("/usr")).toEqual(directory);
    expect(root.list("/usr")).toEqual(["bin", "src"]);
  });

  test("without the directories that are there, where nothing comes into them", () => {
    const plan = planCopy(stepOf({}, "/usr/src/app/"));
    expect(plan.entries.map(({ path }) => path)).toEqual(["usr", "usr/src", "usr/src/app"]);
    expect(layOver(rootOf({ "/usr/src/app": directory, "/usr/src/app/x": "x" }), plan)).toEqual([]);
    const partly = layOver(rootOf({ "/usr/src": directory, "/usr/src/app-2": directory }), plan);
    expect(partly?.map(({ path }) => path)).toEqual(["usr", "usr/src", "usr/src/app"]);
  });

  test("with the source's attributes for a directory that was copied", () => {
    const plan = planCopy(stepOf({ etc: { ...directory, mode: 0o700 }, "etc/x": "x" }, "/"));
    const root = rootOf({ "/etc": directory });
    layOver(root, plan);
    expect(root.lstat("/etc")?.mode).toBe(0o700);
  });

  test.each([
    ["a file", { "/app/src/a": "old" }],
    ["a link", { "/app": { linkTarget: "/opt" } }],
    ["a file where a directory is to be", { "/app/src": "old" }],
    ["a directory where a file is to be", { "/app/d": directory }],
  ])("not where %s is in the way, and leaves the root alone", (_, files) => {
    const root = rootOf(files);
    const before = stateOf(root);
    expect(layOver(root, planCopy(stepOf(project, "/app/")))).toBeUndefined();
    expect(stateOf(root)).toEqual(before);
  });
});

test("300 random roots and projects come out as if the COPY had been made there", () => {
  let seed = 20_261_121;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (seed >>> 8) % below;
  };
  const names = ["a", "a-b", "b", "c", "é"];
  const somewhere = (): string =>
    `/${Array.from({ length: 1 + random(3) }, () => names[random(names.length)]).join("/")}`;
  const files = (most: number): Record<string, MemoryFile> => {
    const found: Record<string, MemoryFile> = {};
    for (let count = random(most); count >= 0; count--) {
      const kinds: MemoryFile[] = [
        `text ${random(9)}`,
        { ...directory, mode: 0o700 + random(64) },
        { linkTarget: somewhere() },
        { content: "linked", linkGroup: String(random(2)) },
        { kind: "fifo", mode: 0o600 },
      ];
      const path = somewhere();
      const isFree = Object.keys(found).every(
        (other) => !`${other}/`.startsWith(`${path}/`) && !path.startsWith(`${other}/`),
      );
      if (isFree) found[path] = kinds[random(kinds.length)] ?? "";
    }
    return found;
  };
  let laid = 0;
  for (let round = 0; round < 300; round++) {
    const project = random(6) === 0 ? {} : files(6);
    const sources = random(3) === 0 ? [project, files(6)] : [project];
    const step = stepOf(sources, random(4) === 0 ? "/" : `${somewhere()}/`);
    const root = rootOf(files(3));
    const other = root.clone();
    let plan;
    try {
      plan = planCopy(step);
    } catch {
      continue;
    }
    const entries = layOver(root, plan);
    if (entries === undefined) continue;
    laid++;
    expect(entries.map(told)).toEqual(copy(other, step).map(told));
    expect(stateOf(root)).toEqual(stateOf(other));
  }
  expect(laid).toBeGreaterThan(100);
});

function told(entry: Entry): unknown {
  return entry.kind === "file" ? { ...entry, content: entry.content.identity } : entry;
}

/** All of a root; what its link groups are called does not matter, nor whether a file with one name is in one. */
function stateOf(root: RootFs): unknown[] {
  const nodes = [...walkTree(root, "/")];
  const names = new Map<string, string[]>();
  for (const { path, node } of nodes) {
    const { linkGroup = path } = node;
    names.set(linkGroup, [...(names.get(linkGroup) ?? []), path]);
  }
  return nodes.map(({ path, node: { linkGroup, ...node } }) => {
    const content = node.kind === "file" ? root.open(path).identity : undefined;
    return { path, ...node, content, names: names.get(linkGroup ?? path) };
  });
}
