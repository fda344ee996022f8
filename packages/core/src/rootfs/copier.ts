import { joinPath } from "../context/path.ts";
import { bytesContent } from "../context/memory-tree.ts";
import type { FileContent, SourceNode, SourceTree } from "../context/source-tree.ts";
import { checkPath, type ChangeSet } from "./change-set.ts";
import { CopyError } from "./copy-error.ts";
import type { CopyStep } from "./copy-step.ts";
import type { DirectoryStyle } from "./directories.ts";
import { entryList, relativePath, walkInPathOrder } from "./entry-list.ts";
import type { RootFs } from "./rootfs.ts";

/** What the ways of copying share: a step's rules, applied to a root. */
export interface Copier {
  readonly changes: ChangeSet;
  readonly madeOnTheWay: DirectoryStyle;
  /** Puts one thing, with the owner and mode that the step wants. */
  place(tree: SourceTree, from: string, node: SourceNode, to: string): void;
  /** Copies what is in a directory into another, which exists. */
  contents(tree: SourceTree, from: string, to: string): void;
}

/** For one source, or for one of those that its pattern matches. */
export function copierFor(changes: ChangeSet, step: CopyStep): Copier {
  const scope = changes.beginTree();
  /** Whether there are files with several names, some of which may have been put, or are to be put, elsewhere. */
  let hasLinks = false;
  const madeOnTheWay = {
    // As mkdir(2): no setuid, setgid or sticky.
    mode: (step.parentMode ?? 0o755) & 0o777,
    uid: step.owner?.uid ?? 0,
    gid: step.owner?.gid ?? 0,
    mtime: step.now,
  };

  function place(tree: SourceTree, from: string, node: SourceNode, to: string): void {
    checkRoom(changes.root, node, to);
    tree.taken?.(from);
    changes.put(to, placed(node), contentOf(tree, from, node));
  }

  /** As the step wants it. */
  function placed(node: SourceNode): SourceNode {
    const owned = step.owner === undefined ? node : { ...node, ...step.owner };
    // Below a copied directory the source's attributes win.
    if (node.kind === "directory") return { ...owned, mode: step.chmod?.(node.mode, true) ?? node.mode };
    if (node.kind === "symlink") return owned;
    // A socket is nothing without its program: what is copied is its name.
    const kind = node.kind === "socket" ? "file" : node.kind;
    const mode = step.chmod?.(node.mode, false) ?? node.mode;
    const group =
      node.linkGroup === undefined ? {} : { linkGroup: `${changes.step}:${scope}:${node.linkGroup}` };
    const isAsItWas = kind === node.kind && mode === node.mode && node.linkGroup === undefined;
    return isAsItWas ? owned : { ...owned, kind, mode, ...group };
  }

  function contents(tree: SourceTree, from: string, to: string): void {
    if (filled(tree, from, to)) return;
    for (const name of tree.list(from)) {
      const child = joinPath(from, name);
      const node = tree.lstat(child);
      if (node === undefined) continue;
      place(tree, child, node, joinPath(to, name));
      if (node.kind === "directory") contents(tree, child, joinPath(to, name));
    }
  }

  /** Whether all could be put at once, where nothing is yet: of many files that is far less than to put each. */
  function filled(tree: SourceTree, from: string, to: string): boolean {
    if (hasLinks || changes.fill === undefined || changes.root.list(to).length > 0) return false;
    const list = entryList();
    walkInPathOrder(
      { from, path: to.slice(1) },
      (directory) => tree.list(directory.from),
      (directory, name) => {
        const child = joinPath(directory.from, name);
        const node = hasLinks ? undefined : tree.lstat(child);
        if (node === undefined) return undefined;
        hasLinks = node.linkGroup !== undefined;
        const path = relativePath(directory.path, name);
        checkPath(`/${path}`);
        tree.taken?.(child);
        list.add(path, placed(node), contentOf(tree, child, node));
        return node.kind === "directory" ? { from: child, path } : undefined;
      },
    );
    if (!hasLinks) changes.fill(list.entries);
    return !hasLinks;
  }

  return { changes, madeOnTheWay, place, contents };
}

function contentOf(tree: SourceTree, path: string, node: SourceNode): FileContent | undefined {
  if (node.kind === "file") return tree.open(path);
  return node.kind === "socket" ? bytesContent(new Uint8Array(0)) : undefined;
}

function checkRoom(root: RootFs, node: SourceNode, to: string): void {
  const there = root.lstat(to);
  if (there === undefined) return;
  if (node.kind === "directory" && there.kind !== "directory") throw blocked(to, there);
  if (node.kind === "directory" || there.kind !== "directory") return;
  throw new CopyError("COPY_CONFLICT", `cannot replace to directory ${to} with file`, {
    hint: "Copy it to another name: the image has a directory there.",
  });
}

export function blocked(path: string, node: SourceNode): CopyError {
  const what = node.kind === "symlink" ? `a symlink to ${node.linkTarget ?? ""}` : `a ${node.kind}`;
  return new CopyError("COPY_CONFLICT", `cannot copy to non-directory: ${path} is ${what}.`, {
    hint:
      node.kind === "symlink"
        ? `Copy what is meant for ${path} with a COPY of its own: a destination follows links, a copied tree does not.`
        : "Copy it to another path.",
  });
}
