import { mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ContextError } from "./context-error.ts";
import { directoryTree } from "./directory-tree.ts";
import { filteredTree } from "./filtered-tree.ts";
import { memoryTree, type MemoryFile } from "./memory-tree.ts";
import { observedTree, signatureOf, type Observation } from "./observed-tree.ts";
import type { SourceTree } from "./source-tree.ts";

const files = { "/a/1": "one", "/a/2": "two", "/b/3": "three", "/c": "four" };

function observed(look: (tree: SourceTree) => void): Observation {
  const tree = observedTree(memoryTree(files));
  look(tree);
  return tree.observation();
}

function signature(
  observation: Observation,
  changes: Record<string, MemoryFile> = {},
): Promise<string | undefined> {
  return signatureOf(memoryTree({ ...files, ...changes }), observation);
}

test("remembers directories whose names were asked for, and what else was looked at", () => {
  const observation = observed((tree) => {
    tree.lstat("/c");
    tree.lstat("/missing");
    for (const name of tree.list("/a")) tree.lstat(`/a/${name}`);
  });
  expect(observation).toEqual({ directories: ["/a"], paths: ["/c", "/missing"] });
});

test("what was looked at decides, and nothing else", async () => {
  const observation = observed((tree) => {
    tree.lstat("/missing");
    tree.list("/a");
  });
  const before = await signature(observation);
  expect(before).toBe(await signature(observation, { "/b/3": "another", "/b/new": "1" }));
  for (const changes of [{ "/a/1": "another" }, { "/a/new": "" }, { "/missing": "" }])
    expect(await signature(observation, changes), JSON.stringify(changes)).not.toBe(before);
});

test("all that an image may have of a file decides, whatever its content's identity says", async () => {
  const observation = { directories: ["/a"], paths: [] };
  const tree = memoryTree(files);
  const before = await signatureOf(tree, observation);
  for (const change of [
    { mode: 0o755 },
    { uid: 7 },
    { gid: 7 },
    { mtime: 7 },
    { linkGroup: "1" },
    { xattrs: { "user.a": Buffer.from("b") } },
  ]) {
    const changed: SourceTree = {
      ...tree,
      lstat(path) {
        const node = tree.lstat(path);
        return node?.kind === "file" ? { ...node, ...change } : node;
      },
    };
    expect(await signatureOf(changed, observation), JSON.stringify(change)).not.toBe(before);
  }
});

test("of a directory of many files, each decides", async () => {
  const many = Object.fromEntries(Array.from({ length: 3000 }, (_, at) => [`/a/${at}`, "same"]));
  const observation = { directories: ["/a"], paths: [] };
  const before = await signatureOf(memoryTree(many), observation);
  for (const name of [...[0, 999, 1000, 1142, 1143, 1144, 2999].map((at) => `/a/${at}`), "/a/new"])
    expect(await signatureOf(memoryTree({ ...many, [name]: "another" }), observation), name).not.toBe(before);
  expect(await signatureOf(memoryTree(many), observation)).toBe(before);
});

test("a file of which nobody can say whether it changed has no signature", async () => {
  const tree = memoryTree(files);
  const open: SourceTree["open"] = (path) => {
    const { identity: _, ...content } = tree.open(path);
    return content;
  };
  expect(await signatureOf({ ...tree, open }, { directories: ["/a"], paths: [] })).toBeUndefined();
});

test("the time of a directory counts up to the latest that is of interest", async () => {
  const tree = memoryTree(files);
  const at = (mtime: number): SourceTree => ({
    ...tree,
    lstat(path) {
      const node = tree.lstat(path);
      return node?.kind === "directory" ? { ...node, mtime } : node;
    },
  });
  const signed = (mtime: number, latest?: number): Promise<string | undefined> =>
    signatureOf(at(mtime), { directories: ["/"], paths: [] }, latest === undefined ? {} : { latest });
  expect(await signed(5)).toBe(await signed(9));
  expect(await signed(5, 4)).toBe(await signed(9, 4));
  expect(await signed(5, 7)).not.toBe(await signed(9, 7));
  expect(await signed(8, 7)).toBe(await signed(9, 7));
  expect(await signed(8, Number.MAX_SAFE_INTEGER)).not.toBe(await signed(9, Number.MAX_SAFE_INTEGER));
});

test("what is refused whoever looks at it is a state, too", async () => {
  const tree = memoryTree(files);
  const refusing: SourceTree = {
    ...tree,
    lstat(path) {
      if (path === "/a/2") throw new ContextError("FILE_KIND_UNSUPPORTED", "a fifo");
      return tree.lstat(path);
    },
  };
  const closed: SourceTree = {
    ...tree,
    list(path) {
      throw new ContextError("FILE_UNREADABLE", path);
    },
  };
  const observation = { directories: ["/a"], paths: [] };
  const signatures = [tree, refusing, closed].map((each) => signatureOf(each, observation));
  const all = await Promise.all(signatures);
  expect(all).not.toContain(undefined);
  expect(new Set(all).size).toBe(3);
});

test("a directory of the machine is looked at anew, with the same signature and through what filters it", async () => {
  const place = mkdtempSync(join(tmpdir(), "undocked-observed-"));
  try {
    for (const name of ["a", "b", "c.tmp"]) {
      writeFileSync(join(place, name), name);
      utimesSync(join(place, name), 1, 1);
    }
    const ignores = (path: string): boolean => path.endsWith(".tmp");
    const tree = filteredTree(directoryTree(place), { ignores });
    const observation = { directories: ["/"], paths: ["/a", "/nothing", "/a/below"] };
    const glanced = (): readonly string[] => tree.glance?.list("/") ?? [];
    expect(glanced()).toEqual(["a", "b"]);
    expect(tree.list("/")).toEqual(["a", "b"]);
    // Files that were written just now have no identity.
    expect(await signatureOf(tree, observation, { anew: true })).toBeUndefined();
    const links = { directories: ["/"], paths: [] };
    for (const name of ["a", "b"]) {
      rmSync(join(place, name));
      symlinkSync("elsewhere", join(place, name));
    }
    const again = filteredTree(directoryTree(place), { ignores });
    const anew = await signatureOf(again, links, { anew: true });
    expect(anew).toBeDefined();
    expect(await signatureOf(again, links)).toBe(anew);
    symlinkSync("elsewhere", join(place, "d"));
    expect(await signatureOf(again, links)).toBe(anew);
    expect(await signatureOf(again, links, { anew: true })).not.toBe(anew);
  } finally {
    rmSync(place, { recursive: true });
  }
});
