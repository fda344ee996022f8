import { ContextError } from "./context-error.ts";
import { joinPath, parentPath } from "./path.ts";
import type { SourceNode, SourceTree } from "./source-tree.ts";

/** Where a path leads once links are followed. */
export interface Resolved {
  /** Clean and absolute, without links; its last components may not exist. */
  readonly path: string;
  /** What is there; `undefined`: nothing. */
  readonly node: SourceNode | undefined;
  /** The path of something on the way that is neither a directory nor a link; nothing can be below it. */
  readonly obstacle?: string;
}

export interface ResolveOptions {
  /** What to do with a link that is the last component. Default `"follow"`. */
  readonly last?: "follow" | "keep";
  /** What absolute targets, and `..` at the root, do. Default `"clamp"`: they stay inside, as in a chroot. */
  readonly outside?: "clamp" | "refuse";
  /** What `..` does behind something that is not there. Default `"skip"`: as if it were made first; `"stop"`: nothing is there, as for the kernel. */
  readonly missing?: "skip" | "stop";
}

/** As Linux counts. */
const MOST_LINKS = 40;

/**
 * Follows links inside a tree. A link to something that does not exist leads to where it would be.
 *
 * @throws {ContextError} `SYMLINK_LOOP` after 40 links; `SYMLINK_OUTSIDE` when leaving is refused
 */
export function resolveInside(
  tree: Pick<SourceTree, "lstat">,
  path: string,
  { last = "follow", outside = "clamp", missing = "skip" }: ResolveOptions = {},
): Resolved {
  const ahead = path.split("/").reverse();
  let at = "/";
  let node = tree.lstat(at);
  let obstacle: string | undefined;
  let links = 0;
  for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
    // `file/`, `file/.` and `file/..` ask for a directory.
    const asksDirectory = missing === "stop" && ["", ".", ".."].includes(name);
    if (asksDirectory && node !== undefined && node.kind !== "directory") obstacle ??= at;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (missing === "stop" && node === undefined) break;
      if (at === "/" && outside === "refuse") throw leaves(path, "..");
      at = parentPath(at);
      node = tree.lstat(at);
      continue;
    }
    if (node !== undefined && node.kind !== "directory") obstacle ??= at;
    const next = joinPath(at, name);
    node = node?.kind === "directory" ? tree.lstat(next) : undefined;
    const target = node?.kind === "symlink" ? (node.linkTarget ?? "") : undefined;
    if (target === undefined || (last === "keep" && ahead.every((rest) => rest === "" || rest === "."))) {
      at = next;
      continue;
    }
    if (++links > MOST_LINKS) {
      throw new ContextError("SYMLINK_LOOP", `${path} goes through more than ${MOST_LINKS} symbolic links.`);
    }
    if (target.startsWith("/")) {
      if (outside === "refuse") throw leaves(path, target);
      at = "/";
    }
    // BuildKit takes `a/..` off a relative target before it looks whether `a` is a link, where the kernel looks first.
    const names =
      missing === "skip" && outside === "clamp" && !target.startsWith("/")
        ? tidied(target)
        : target.split("/");
    ahead.push(...names.reverse());
    node = tree.lstat(at);
  }
  return { path: at, node, ...(obstacle === undefined ? {} : { obstacle }) };
}

/** The components without `.`, and without `..` where it undoes the one before. */
function tidied(target: string): string[] {
  const names: string[] = [];
  for (const name of target.split("/")) {
    if (name === ".." && names.length > 0 && names.at(-1) !== "..") names.pop();
    else if (name !== "" && name !== ".") names.push(name);
  }
  return names;
}

function leaves(path: string, target: string): ContextError {
  return new ContextError("SYMLINK_OUTSIDE", `${path} leads outside, through ${JSON.stringify(target)}.`);
}
