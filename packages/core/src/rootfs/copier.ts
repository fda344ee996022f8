import { joinPath } from "../context/path.ts";
import { bytesContent } from "../context/memory-tree.ts";
import type { FileContent, SourceNode, SourceTree } from "../context/source-tree.ts";
import type { ChangeSet } from "./change-set.ts";
import { CopyError } from "./copy-error.ts";
import type { CopyStep } from "./copy-step.ts";
import type { DirectoryStyle } from "./directories.ts";
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
    const owned = step.owner === undefined ? node : { ...node, ...step.owner };
    if (node.kind === "directory") {
      // Below a copied directory the source's attributes win.
      changes.put(to, { ...owned, mode: step.chmod?.(node.mode, true) ?? node.mode });
    } else if (node.kind === "symlink") {
      changes.put(to, owned);
    } else {
      // A socket is nothing without its program: what is copied is its name.
      const kind = node.kind === "socket" ? "file" : node.kind;
      const mode = step.chmod?.(node.mode, false) ?? node.mode;
      const isAsItWas = kind === node.kind && mode === node.mode && node.linkGroup === undefined;
      const group =
        node.linkGroup === undefined ? {} : { linkGroup: `${changes.step}:${scope}:${node.linkGroup}` };
      changes.put(to, isAsItWas ? owned : { ...owned, kind, mode, ...group }, contentOf(tree, from, node));
    }
  }

  function contents(tree: SourceTree, from: string, to: string): void {
    for (const name of tree.list(from)) {
      const child = joinPath(from, name);
      const node = tree.lstat(child);
      if (node === undefined) continue;
      place(tree, child, node, joinPath(to, name));
      if (node.kind === "directory") contents(tree, child, joinPath(to, name));
    }
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
